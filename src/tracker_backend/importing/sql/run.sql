-- stored: whether a session has rows, and whether this batch is stored already ($3 its identities)
select
    exists (
        select from tracker.sessions where project_id = $1 and session_id = $2
            and native_event_count + recorded_event_count + screenshot_count > 0
    ),
    exists (select from tracker.ingest_batches where project_id = $1 and session_id = $2 and batch_id = any($3::uuid[]));
