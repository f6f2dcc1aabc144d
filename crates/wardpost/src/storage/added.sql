-- The end of each box's access log, as the box last told it.
CREATE TABLE IF NOT EXISTS access_log (
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    lines INTEGER NOT NULL,
    sha256 TEXT NOT NULL, -- of the last line, in hexadecimal
    told_us INTEGER, -- when a fault of it was last told; NULL for never
    PRIMARY KEY (ward, box)
) STRICT, WITHOUT ROWID;
