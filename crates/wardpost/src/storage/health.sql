-- Version 2: the health of the boxes.

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
