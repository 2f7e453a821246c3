-- begin_group: in one round trip; never wait long for a lock (an old chunk may be under compression, the group is tried again), plan once (the statements below are the same for any arrays), and commit durably: on disk and, where the database has synchronous standbys, there. A statement time-out of the database would end that wait as if it were over
begin; set local lock_timeout = '5s'; set local plan_cache_mode = force_generic_plan; set local statement_timeout = 0;
select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') not in ('on', 'remote_apply');

-- claim_batches: of these identities those that are new, with what is known of their sessions; and the sessions whose batches are dropped because they or their users were erased. A session that names an erased user gets a tombstone of its own (arrays: project, session, batch or null, its identity before migration 0011 or null, digest of a named one, number of events, keyed hashes of session and user)
with given as materialized (
    select project_id, session_id, batch_id, former_id, digest, events, session_hash, user_hash, max((
        select max(until) from tracker.tombstones where keyed_hash = session_hash or keyed_hash = user_hash
    )) over (partition by project_id, session_id) as erased_until
    from unnest($1::int[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bytea[], $6::int[], $7::bytea[], $8::bytea[])
        as b (project_id, session_id, batch_id, former_id, digest, events, session_hash, user_hash)
),
claimed as (
    insert into tracker.ingest_batches (project_id, session_id, batch_id, events, digest)
    select project_id, session_id, batch_id, events, digest from given
    where erased_until is null and batch_id is not null and case when former_id is null then true else not exists (
        select from tracker.ingest_batches f
        where f.project_id = given.project_id and f.session_id = given.session_id and f.batch_id = former_id
            and f.digest is null
    ) end
    order by 1, 2, 3
    on conflict do nothing
    returning project_id, session_id, batch_id
),
spread as (
    insert into tracker.tombstones (keyed_hash, until, project_id, session_id, erasure_id)
    select distinct on (session_hash) session_hash, erased_until, project_id, session_id, (
        select erasure_id from given named join tracker.tombstones t on t.keyed_hash = named.user_hash
        where named.project_id = given.project_id and named.session_id = given.session_id limit 1
    )
    from given where erased_until is not null
        -- Everybody knows the key that pages carry: who names an erased user must not remove another one's session by it.
        and not exists (
            select from tracker.sessions s
            where s.project_id = given.project_id and s.session_id = given.session_id and s.user_id is not null
        )
    order by session_hash
    on conflict do nothing
)
select project_id, session_id, batch_id, s.clock_offset_ms, s.masked_fields,
    date_bin('1 hour', now(), 'epoch') as current_hour, false as erased, s.is_bot, s.user_agent <> '' as has_agent
from claimed left join tracker.sessions s using (project_id, session_id)
union all
select project_id, session_id, batch_id, null, null, null, true, null, null from given where erased_until is not null;

-- find_native_kinds: what sessions with a recording count of their own events, and the last page of the recording (arrays: project, session)
select project_id, session_id, last_page_url,
    array[native_click_count, native_error_count, native_page_count, native_rage_click_count] as native
from tracker.sessions join unnest($1::int[], $2::uuid[]) as b (project_id, session_id) using (project_id, session_id);

-- find_repeated: what is stored of repeated batches (arrays: project, session, batch). The message makes this transaction write, so that its commit waits until standbys have it, and with it what it repeats: the wait of the first commit may have been cut off
select project_id, session_id, batch_id, digest, ref
from pg_logical_emit_message(true, 'tracker', 'repeat') m
left join (
    tracker.ingest_batches join unnest($1::int[], $2::uuid[], $3::uuid[]) as b (project_id, session_id, batch_id)
        using (project_id, session_id, batch_id)
) on true;

-- set_ref: remember the screenshot that a batch became
update tracker.ingest_batches set ref = $4 where project_id = $1 and session_id = $2 and batch_id = $3;

-- find_image: the screenshot of this session and day that holds the same bytes (a later day's chunk outlives it)
select screenshot_id from tracker.screenshots
where project_id = $1 and session_id = $2 and sha256 = $3 and image_of is null
    and timestamp >= date_trunc('day', $4::timestamptz, 'UTC')
    and timestamp < date_trunc('day', $4::timestamptz, 'UTC') + interval '1 day'
limit 1;

-- insert_screenshot: nothing comes back if the id was given before (to a row at most a minute away: it is up to a minute later than its row)
insert into tracker.screenshots (
    screenshot_id, project_id, session_id, timestamp, page_url, image_format, image_width, image_height, file_size,
    sha256, image_of, image_data, thumbnail
)
select $1::bigint, $2::int, $3::uuid, $4::timestamptz, $5::text, $6::text, $7::int, $8::int, $9::int, $10::bytea,
       $11::bigint, $12::bytea, $13::bytea
where not exists (
    select from tracker.screenshots where project_id = $2 and screenshot_id = $1
        and timestamp >= $4::timestamptz - interval '1 minute' and timestamp <= $4::timestamptz + interval '1 minute'
)
on conflict do nothing
returning screenshot_id;

-- upsert_sessions: create sessions or widen and count them, in key order; mark past hours; count new ones ($1 this node, $2 a JSON array with an object a session, by column; $3 the most secret fields of one)
with given as (
    select * from json_populate_recordset(null::tracker.sessions, $2::json) order by project_id, session_id
),
written as (
    insert into tracker.sessions as s ({session_columns}, ended_at, metadata, is_bot, expires_at)
    select {session_values},
        case when ended_at is not null then greatest(ended_at, last_at) end,
        coalesce(metadata, '{}'),
        bot_reason is not null,
        last_activity_at + ttl_hours * interval '1 hour'
    from given
    on conflict (project_id, session_id) do update set
        {session_sums},
        {session_fills},
        started_at = least(s.started_at, excluded.first_at),
        moved_from = case when excluded.first_at < s.started_at then s.started_at end,
        last_activity_at = greatest(s.last_activity_at, excluded.last_activity_at),
        first_at = least(s.first_at, excluded.first_at),
        last_at = greatest(s.last_at, excluded.last_at),
        ended_at = case
            when coalesce(s.ended_at, excluded.ended_at) is not null
            then greatest(s.ended_at, excluded.ended_at, s.last_at, excluded.last_at) end,
        clock_offset_ms = coalesce(s.clock_offset_ms, excluded.clock_offset_ms),
        screenshot_count = s.screenshot_count + excluded.screenshot_count,
        recorded_event_count = s.recorded_event_count + excluded.recorded_event_count,
        last_page_url = coalesce(excluded.last_page_url, s.last_page_url),
        client_stats = coalesce(excluded.client_stats, s.client_stats),
        user_agent = coalesce(nullif(s.user_agent, ''), excluded.user_agent),
        has_typed = s.has_typed or excluded.has_typed,
        -- For good. Of a session with too many of them every field is secret.
        masked_fields = case
            when excluded.masked_fields is null then s.masked_fields
            else (
                select case when count(*) > $3 or bool_or(field = '*') then array['*'] else array_agg(field order by field) end
                from (select unnest(s.masked_fields) union select unnest(excluded.masked_fields)) f (field)
            ) end,
        -- What had no end when it began gets none from another dialect's batch; what has one is moved by any activity.
        expires_at = greatest(s.expires_at, excluded.last_activity_at + s.ttl_hours * interval '1 hour'),
        metadata = case
            when excluded.metadata = '{}' then s.metadata
            when octet_length((excluded.metadata || s.metadata)::text) > 65536 then s.metadata
            else excluded.metadata || s.metadata end,
        -- The label goes with the user agent that the session keeps: a relay's own header says nothing of the visitor.
        bot_reason = case when coalesce(s.user_agent, '') = '' then excluded.bot_reason else s.bot_reason end,
        is_bot = case when coalesce(s.user_agent, '') = '' then excluded.is_bot else s.is_bot end
    returning project_id, session_id, started_at, moved_from, (xmax = 0) as created, is_bot,
        (select before.is_bot from tracker.sessions before
            where before.project_id = s.project_id and before.session_id = s.session_id) as was_bot,
        case when rrweb_event_count > 0 then
            array[native_click_count, native_error_count, native_page_count, native_rage_click_count] end as native,
        case when rrweb_event_count > 0 then
            array[rrweb_click_count, rrweb_error_count, rrweb_page_count, rrweb_rage_click_count] end as recorded,
        -- Only a group with typed values needs them.
        case when has_typed or recorded_event_count > 0 then masked_fields end as masked_fields, has_typed
),
marked as (
    insert into tracker.hours_to_refresh (rollup, project_id, bucket)
    select distinct 'sessions_hourly', project_id, date_bin('1 hour', moment, 'epoch')
    from written, unnest(array[started_at, moved_from]) as moment
    where moment < date_bin('1 hour', now(), 'epoch')
),
counted as (
    insert into tracker.session_totals as t (project_id, node, sessions)
    select project_id, $1, count(*) from written where created group by project_id order by project_id
    on conflict (project_id, node) do update set sessions = t.sessions + excluded.sessions
)
select project_id, session_id, started_at, created, native, recorded, masked_fields, has_typed, is_bot, was_bot
from written;

-- label_events: events of a session whose first user agent arrived after them ($3 whether it is a bot)
with changed as (
    update tracker.events e set is_bot = $3 from tracker.sessions s
    where s.project_id = $1 and s.session_id = $2 and e.project_id = $1 and e.session_id = $2
        and e.timestamp >= s.first_at and e.timestamp <= s.last_at and e.is_bot <> $3
    returning e.timestamp
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'events_hourly', $1::int, date_bin('1 hour', timestamp, 'epoch') from changed
where timestamp < date_bin('1 hour', now(), 'epoch');

-- delete_repeated_kinds: events found in a session's recording, of types that its own events turned out to count ($3 these types)
with gone as (
    delete from tracker.events e using tracker.sessions s
    where s.project_id = $1 and s.session_id = $2 and e.project_id = $1 and e.session_id = $2
        and e.timestamp >= s.first_at and e.timestamp <= s.last_at and e.source = 'rrweb' and e.event_type = any($3::text[])
    returning e.timestamp
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'events_hourly', $1::int, date_bin('1 hour', timestamp, 'epoch') from gone
where timestamp < date_bin('1 hour', now(), 'epoch');

-- mark_hours: list past hours that got late events (arrays: project, hour)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select 'events_hourly', project_id, bucket from unnest($1::int[], $2::timestamptz[]) as h (project_id, bucket);
