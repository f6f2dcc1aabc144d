-- Further pictures of alerts that wait for the post. No reference to an event: the program before deletes events and knows
-- nothing of this table. A number is never given again, so that a late acknowledgement removes no other still.

CREATE TABLE still (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    alert TEXT NOT NULL,
    kind TEXT NOT NULL,
    taken_wall_us INTEGER NOT NULL,
    jpeg BLOB NOT NULL,
    stored_wall_us INTEGER NOT NULL,
    UNIQUE (alert, kind)
) STRICT;
