-- The outbox gets an id: a random UUID (RFC 9562, version 4).

CREATE TABLE outbox_identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    since INTEGER NOT NULL,
    thumbnails_shed INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO outbox_identity (one, id, since)
SELECT 1,
       lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
             || substr('89AB', 1 + (abs(random()) % 4), 1) || substr(hex(randomblob(2)), 2) || '-'
             || hex(randomblob(6))),
       last
FROM sequence WHERE one = 1;
