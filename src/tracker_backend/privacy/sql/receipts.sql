-- list_receipts: newest first ($2 null, or an erasure to go on behind, $3 how many)
select erasure_id, subject, actor, asked_at, finished_at, removed from tracker.erasures
where project_id = $1 and (
    $2::uuid is null
    or (asked_at, erasure_id) < (select asked_at, erasure_id from tracker.erasures where project_id = $1 and erasure_id = $2)
)
order by asked_at desc, erasure_id desc limit $3;

-- get_receipt: one
select erasure_id, subject, actor, asked_at, finished_at, removed from tracker.erasures
where project_id = $1 and erasure_id = $2;
