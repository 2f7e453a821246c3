-- The columns of the three time series. Their storage is the tier's: see the next file of timescale/ or plain/.

-- No foreign keys (they cost more than the columns, and a new chunk's lock on the parent deadlocks with writers) and
-- one index each, made by the tier: COPY of 1,000 rows is 2.4 times as fast with one as with five.
create table tracker.events_columns (
    event_id        bigint      not null,
    project_id      integer     not null,
    session_id      uuid        not null,
    timestamp       timestamptz not null,
    source          text        not null,
    event_type      text        not null,
    target_element  text,
    target_selector text,
    target_tag      text,
    target_id       text,
    target_class    text,
    page_url        text        not null,
    page_host       text        not null,
    page_path       text        not null,
    viewport_x      integer,
    viewport_y      integer,
    screen_x        integer,
    screen_y        integer,
    scroll_x        integer,
    scroll_y        integer,
    input_value     text,
    input_masked    boolean,
    key_pressed     text,
    mouse_button    smallint,
    click_count     integer,
    event_data      jsonb
);

-- image_data is null in a repeat: `image_of` is the screenshot of the same session and day that holds the bytes.
create table tracker.screenshots_columns (
    screenshot_id bigint      not null,
    project_id    integer     not null,
    session_id    uuid        not null,
    timestamp     timestamptz not null,
    page_url      text        not null,
    image_format  text        not null,
    image_width   integer     not null,
    image_height  integer     not null,
    file_size     integer     not null,
    sha256        bytea       not null,
    image_of      bigint,
    image_data    bytea,
    thumbnail     bytea
);

-- One row a batch of rrweb events: `data` is one zstd frame of the comma-joined JSON, `timestamp` the first event's time
-- and `last_at` the last one's, placed in time like events. `client_first` and `client_last` are the same by the client's
-- clock, in microseconds, as the events inside tell it: they and `arrival`, for rows of one time, give the order.
-- `batches` tells what a row came from: {id, at (epoch ms of receipt), events, initial?} of each batch, and, where several
-- were merged, the runs of its events: [[index of the batch, number of events], ...].
create table tracker.recordings_columns (
    recording_id      bigint      not null,
    project_id        integer     not null,
    session_id        uuid        not null,
    timestamp         timestamptz not null,
    last_at           timestamptz not null,
    arrival           bigint      not null,
    event_count       integer     not null,
    inflated_size     integer     not null,
    has_full_snapshot boolean     not null,
    client_first      bigint      not null,
    client_last       bigint      not null,
    batches           jsonb       not null,
    data              bytea       not null
);

alter table tracker.screenshots_columns alter column image_data set storage external;
alter table tracker.screenshots_columns alter column thumbnail set storage external;
alter table tracker.recordings_columns alter column data set storage external;
