-- The access log as it was when its last line was written: a log that is shorter was cut.

CREATE TABLE access_log (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    lines INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) STRICT;
