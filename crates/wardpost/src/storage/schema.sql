-- Version 1 of the ward post's database. Times are microseconds since 1970, UTC, on the post's own clock unless said
-- otherwise. A box is named by its ward and its id.

CREATE TABLE box (
    ward TEXT NOT NULL,
    id TEXT NOT NULL,
    outbox TEXT, -- where its last numbered alert came from
    heard_us INTEGER, -- NULL where only the broker has spoken of it
    reported TEXT NOT NULL DEFAULT 'here', -- here, offline, silent
    reported_us INTEGER,
    status TEXT, -- its last status message
    duplicates INTEGER NOT NULL DEFAULT 0,
    conflicts INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (ward, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- order of storing; never given twice, so that readers can follow it
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    id TEXT NOT NULL,
    phase TEXT NOT NULL,
    outbox TEXT NOT NULL,
    seq INTEGER NOT NULL, -- 0: the box's disk has not taken it yet
    camera TEXT NOT NULL,
    severity TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0,
    message TEXT NOT NULL, -- JSON as it came, without the thumbnail
    UNIQUE (id, phase, ward, box)
) STRICT;
CREATE INDEX alert_by_box ON alert (ward, box, received_us);
CREATE INDEX alert_by_age ON alert (received_us);

CREATE TABLE thumbnail (
    alert INTEGER PRIMARY KEY REFERENCES alert (number) ON DELETE CASCADE,
    jpeg BLOB NOT NULL
) STRICT;

-- Thumbnails that came after their alert, in the order of their coming, so that readers can follow them.
CREATE TABLE late_thumbnail (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    alert INTEGER NOT NULL UNIQUE REFERENCES alert (number) ON DELETE CASCADE
) STRICT;

-- Which numbers of an outbox nobody has to send any more, as runs that neither touch nor overlap: what is stored, and
-- what is lost.
CREATE TABLE run (
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    outbox TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (ward, box, outbox, first)
) STRICT, WITHOUT ROWID;

-- Which of these no message has, nor will ever have; as runs, too.
CREATE TABLE lost (
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    outbox TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (ward, box, outbox, first)
) STRICT, WITHOUT ROWID;

-- Who said so, and why; nothing of it is ever changed.
CREATE TABLE settlement (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    outbox TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT;

-- What has to be told beside the alerts: boxes that go and come back, the link to the broker.
CREATE TABLE notice (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    ward TEXT, -- NULL where it is about the post itself
    box TEXT,
    detail TEXT
) STRICT;

CREATE TABLE refused (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    topic TEXT NOT NULL,
    why TEXT NOT NULL,
    bytes INTEGER NOT NULL, -- of the whole payload
    payload BLOB NOT NULL -- its beginning
) STRICT;

-- Who looked at which thumbnail.
CREATE TABLE access (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    command TEXT NOT NULL,
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    alert TEXT NOT NULL,
    phase TEXT NOT NULL
) STRICT;
