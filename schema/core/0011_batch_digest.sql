-- Names of batches: the same name with other content is refused. Both tiers.

-- Of a named batch's content; null for batches that are identified by their content, and for those stored before this.
alter table tracker.ingest_batches add column digest bytea;
