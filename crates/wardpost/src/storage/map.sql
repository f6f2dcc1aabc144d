-- Version 7: the map of the ward. The version before reads and writes the database as it did: the tables are new.

-- The plan that the map is drawn on, where the ward has uploaded one.
CREATE TABLE map_plan (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    width INTEGER NOT NULL, -- in pixels
    height INTEGER NOT NULL,
    jpeg BLOB NOT NULL, -- as the post encoded it
    sha256 TEXT NOT NULL -- of the JPEG, in hexadecimal
) STRICT;

-- Where cameras stand on it.
CREATE TABLE map_place (
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    camera TEXT NOT NULL,
    x REAL NOT NULL, -- fraction of the plan's width, from the left
    y REAL NOT NULL, -- fraction of the plan's height, from the top
    name TEXT NOT NULL, -- the camera's name when it was placed
    PRIMARY KEY (ward, box, camera)
) STRICT, WITHOUT ROWID;
