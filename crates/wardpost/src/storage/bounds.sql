-- Version 4: facts about the database itself, the chain over the log of what people did, and boxes that people have removed.

-- readable_from: the least version of the program that may use this database. A step that an older program cannot work with
-- raises it to its own number.
-- retention_us: the time to which retention has come.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('readable_from', 4);

-- Which boxes a person has removed from the list, and why.
CREATE TABLE forgotten (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    alerts INTEGER NOT NULL -- how many alert messages were removed with it
) STRICT;

-- Which accesses retention has removed: all up to this number.
CREATE TABLE access_expiry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    before_us INTEGER NOT NULL, -- they were older than this
    last INTEGER NOT NULL
) STRICT;

-- One digest for each row of access, settlement, forgotten and access_expiry, in the order of their coming.
CREATE TABLE log_chain (
    number INTEGER PRIMARY KEY, -- 1, 2, 3 ...
    entry_table TEXT NOT NULL,
    entry INTEGER NOT NULL, -- its number there
    sha256 TEXT NOT NULL, -- of the digest before it, and of the row; in hexadecimal
    UNIQUE (entry_table, entry)
) STRICT;

-- The log is only added to. Who owns the file can remove these triggers; then the chain shows it.
CREATE TRIGGER access_stays BEFORE UPDATE ON access
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER access_is_kept BEFORE DELETE ON access
WHEN OLD.number > (SELECT coalesce(max(last), 0) FROM access_expiry)
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER settlement_stays BEFORE UPDATE ON settlement
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER settlement_is_kept BEFORE DELETE ON settlement
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER forgotten_stays BEFORE UPDATE ON forgotten
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER forgotten_is_kept BEFORE DELETE ON forgotten
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER access_expiry_stays BEFORE UPDATE ON access_expiry
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER access_expiry_is_kept BEFORE DELETE ON access_expiry
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER log_chain_stays BEFORE UPDATE ON log_chain
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER log_chain_is_kept BEFORE DELETE ON log_chain
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
