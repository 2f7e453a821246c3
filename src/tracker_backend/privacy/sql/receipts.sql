-- list_receipts: newest first ($2 null, or the last erasure of the page before, $3 how many)
select erasure_id, subject, actor, requested_at, finished_at, removed from tracker.erasures
where project_id = $1 and (
    $2::uuid is null
    or (requested_at, erasure_id) < (select requested_at, erasure_id from tracker.erasures where project_id = $1 and erasure_id = $2)
)
order by requested_at desc, erasure_id desc limit $3;

-- get_receipt: the receipt of an erasure
select erasure_id, subject, actor, requested_at, finished_at, removed from tracker.erasures
where project_id = $1 and erasure_id = $2;
