-- Version 2: the health of the boxes, and the ends of their access logs.

ALTER TABLE box ADD COLUMN vitals TEXT; -- its last vitals message
ALTER TABLE box ADD COLUMN health TEXT; -- its troubles as JSON; NULL where none were ever found

-- The first vitals of each hour.
CREATE TABLE vitals (
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    hour INTEGER NOT NULL, -- hours since 1970, on the post's clock
    message TEXT NOT NULL,
    PRIMARY KEY (ward, box, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX vitals_by_age ON vitals (hour);

-- The end of each box's access log, as the box last told it.
CREATE TABLE access_log (
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    lines INTEGER NOT NULL,
    sha256 TEXT NOT NULL, -- of the last line, in hexadecimal
    told_us INTEGER, -- when a fault of it was last told; NULL for never
    PRIMARY KEY (ward, box)
) STRICT, WITHOUT ROWID;
