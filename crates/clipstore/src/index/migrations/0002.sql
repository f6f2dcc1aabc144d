-- What putting right and rebuilding need.

CREATE TABLE step (
    number INTEGER PRIMARY KEY
) STRICT;

INSERT INTO step (number) VALUES (1);

ALTER TABLE segment ADD COLUMN wall_shift_us INTEGER NOT NULL DEFAULT 0;

ALTER TABLE event ADD COLUMN wall_shift_us INTEGER NOT NULL DEFAULT 0;

CREATE INDEX segment_in_doubt ON segment (boot_id) WHERE clock <> 'synced';

CREATE TABLE seq_gap (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
