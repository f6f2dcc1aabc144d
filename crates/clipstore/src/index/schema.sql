-- The index of the store as a whole, for readers: what the steps in migrations/ lead to. Times of the wall are microseconds since 1970 in UTC (`_wall_us`), times since
-- boot and within a stream are nanoseconds (`_ns`). A row is written only after the bytes that it speaks of are on
-- the disk. `PRAGMA user_version` is the oldest version whose program can still read and write this index.

-- The steps in migrations/ that were taken.
CREATE TABLE step (
    number INTEGER PRIMARY KEY
) STRICT;

-- One file below clips/: an init section, then fragments as they came.
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,                 -- grows with age: a greater id is younger, whatever the wall clock said
    camera TEXT NOT NULL,
    epoch INTEGER NOT NULL,                 -- session of the stream within one run of the daemon
    path TEXT NOT NULL UNIQUE,              -- below clips/, with /
    boot_id TEXT NOT NULL,                  -- which boot starts_monotonic_ns counts from
    starts_wall_us INTEGER NOT NULL,        -- arrival of the first sample
    starts_monotonic_ns INTEGER NOT NULL,   -- the same instant since boot: puts starts_wall_us right later
    clock TEXT NOT NULL CHECK (clock IN ('synced', 'holdover', 'unsynced')),
    ends_wall_us INTEGER NOT NULL,          -- end of the last fragment that has a row
    codec TEXT NOT NULL CHECK (codec IN ('h264', 'h265')),
    width INTEGER NOT NULL,                 -- pixels
    height INTEGER NOT NULL,
    init_bytes INTEGER NOT NULL,            -- length of the init section at the file's start
    bytes INTEGER NOT NULL,                 -- length of the file as far as it is indexed
    ended INTEGER NOT NULL,                 -- 1: nothing will be added
    -- How far the wall times were put right once the clock was: the file itself says starts_wall_us - wall_shift_us.
    wall_shift_us INTEGER NOT NULL DEFAULT 0,
    time_source TEXT NOT NULL DEFAULT 'camera' -- 'arrival': presentation times follow the box's clock, since the camera's cannot be
) STRICT;

CREATE INDEX segment_by_time ON segment (camera, starts_wall_us);

-- What a search by time looks up apart: segments longer than 90 s. Few rows where a segment has a minute.
CREATE INDEX segment_long ON segment (camera, starts_wall_us) WHERE ends_wall_us - starts_wall_us > 90000000;

-- What is put right once the clock is. Few rows.
CREATE INDEX segment_in_doubt ON segment (boot_id) WHERE clock <> 'synced';

-- moof and mdat within a segment. Clips are cut here, at one that does not continue the one before it. Its trailer follows in the file.
CREATE TABLE fragment (
    segment INTEGER NOT NULL REFERENCES segment (id) ON DELETE CASCADE,
    offset_bytes INTEGER NOT NULL,          -- where it starts in the file
    bytes INTEGER NOT NULL,
    pts_ns INTEGER NOT NULL,                -- since the start of the session
    duration_ns INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,               -- arrival of its first sample
    samples INTEGER NOT NULL,
    sha256 BLOB NOT NULL,                   -- of the file from its start to the end of this fragment
    start TEXT NOT NULL DEFAULT 'key-frame', -- or 'recovery-point', or 'continued': it needs the fragments before it
    PRIMARY KEY (segment, offset_bytes)
) STRICT, WITHOUT ROWID;

-- What a rule said, with start and end.
CREATE TABLE event (
    id TEXT PRIMARY KEY,                    -- the alert's UUIDv7
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    why TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    clock TEXT NOT NULL,
    opened_wall_us INTEGER NOT NULL,
    opened_monotonic_ns INTEGER NOT NULL,
    closed_wall_us INTEGER,                 -- NULL while it is open
    clip_starts_wall_us INTEGER NOT NULL,   -- pre-roll included
    clip_ends_wall_us INTEGER,              -- post-roll included; NULL while it is open
    wall_shift_us INTEGER NOT NULL DEFAULT 0 -- how far these times were put right; the messages were sent without
) STRICT, WITHOUT ROWID;

CREATE INDEX event_by_time ON event (opened_wall_us);

-- The messages about events, as they are sent.
CREATE TABLE alert (
    seq INTEGER PRIMARY KEY,                -- counts the box's messages from 1, without holes
    event TEXT NOT NULL REFERENCES event (id),
    phase TEXT NOT NULL CHECK (phase IN ('opened', 'closed')),
    message TEXT NOT NULL,                  -- JSON of domain::alert::Alert without its thumbnail
    thumbnail BLOB,                         -- JPEG
    stored_wall_us INTEGER NOT NULL,
    UNIQUE (event, phase)
) STRICT;

-- Which alerts are still to be delivered.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY REFERENCES alert (seq)
) STRICT;

-- Numbers that no message has any more, because a damaged index lost them or did not say which were given. Retention
-- leaves no row here.
CREATE TABLE seq_gap (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;

-- The last seq given. Part of the transaction that stores the alert: what is rolled back leaves no hole.
CREATE TABLE sequence (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;

INSERT INTO sequence (one, last) VALUES (1, 0);

-- Which outbox `seq` counts in. Another one where it is not known which numbers were given.
CREATE TABLE outbox_identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,                       -- a random UUID
    since INTEGER NOT NULL,                 -- what was given up to here was sent under another id, or under none
    thumbnails_shed INTEGER NOT NULL DEFAULT 0 -- how many messages lost their picture, since the outbox was full
) STRICT;

-- The access log as it was when its last line was written: a log that is shorter was cut. The commands that write the
-- log write this row, behind the line. None before the first line that a program of this step writes.
CREATE TABLE access_log (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    lines INTEGER NOT NULL,
    sha256 TEXT NOT NULL                    -- of the last line, in hexadecimal
) STRICT;

-- Further pictures of alerts that wait for the post. A row goes when the broker has the picture, when it is too old, or
-- when the pictures together are too many bytes.
CREATE TABLE still (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- never given again: a late acknowledgement removes no other still
    alert TEXT NOT NULL,                    -- no reference: the program before deletes events and knows nothing of this table
    kind TEXT NOT NULL,                     -- 'before', 'after' or 'crop'
    taken_wall_us INTEGER NOT NULL,         -- arrival of the key frame
    jpeg BLOB NOT NULL,
    stored_wall_us INTEGER NOT NULL,
    UNIQUE (alert, kind)
) STRICT;
