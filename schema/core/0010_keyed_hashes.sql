-- Columns of erasures get the names that the code and the API use. Both tiers.

alter table tracker.erasures rename column mark to keyed_hash;
alter table tracker.erasures rename column wanted to subject_id;
alter table tracker.erasures rename column asked_at to requested_at;
alter table tracker.erased_sessions rename column mark to keyed_hash;
alter table tracker.tombstones rename column mark to keyed_hash;
