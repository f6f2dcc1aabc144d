-- Version 6: the officers of the page, their logins, and the audit.

CREATE TABLE user (
    name TEXT PRIMARY KEY,
    full_name TEXT NOT NULL,
    role TEXT NOT NULL, -- officer, commander, administrator
    password TEXT, -- argon2id as a PHC string; NULL until the one-time code is used
    pin TEXT, -- argon2id as a PHC string; NULL where none is set
    code TEXT, -- sha256 of a one-time code that has not been used; NULL for none
    code_ends_us INTEGER,
    language TEXT, -- vi or en; NULL for the post's
    added_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Browsers in which an officer is logged in.
CREATE TABLE login (
    token TEXT PRIMARY KEY, -- sha256 of the cookie's token
    user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    address TEXT NOT NULL,
    begun_us INTEGER NOT NULL,
    used_us INTEGER NOT NULL, -- when the officer last did anything
    is_locked INTEGER NOT NULL DEFAULT 0, -- the PIN is asked for
    pin_failures INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX login_by_user ON login (user);

-- Failures in a row of a login name or an address.
CREATE TABLE login_failure (
    subject TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who did what on the page; a part of the log that log_chain covers.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    about TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
