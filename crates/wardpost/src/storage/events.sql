-- Version 5: events of the duty officer, decisions about them, shelves, shifts, and further stills. Times are microseconds
-- since 1970, UTC, on the post's clock unless said otherwise.

ALTER TABLE box ADD COLUMN on_test INTEGER NOT NULL DEFAULT 0; -- its last status says that it is being commissioned

-- Alerts that belong together. The state is what the decisions say; it is written with them.
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    key TEXT NOT NULL, -- alerts with another key are never of this event
    camera TEXT NOT NULL,
    camera_name TEXT NOT NULL,
    rule TEXT NOT NULL,
    rule_kind TEXT NOT NULL,
    rule_name TEXT NOT NULL,
    lead INTEGER NOT NULL, -- number of the alert message that stands for it
    severity INTEGER NOT NULL, -- 0 notice, 1 warning, 2 critical
    is_test INTEGER NOT NULL,
    alerts INTEGER NOT NULL,
    first_us INTEGER NOT NULL, -- arrival of the first alert
    last_us INTEGER NOT NULL, -- arrival of the last alert
    opened_first_us INTEGER NOT NULL, -- earliest start of an alert, on the box's clock
    opened_last_us INTEGER NOT NULL, -- latest start of an alert, on the box's clock
    shelf INTEGER, -- the shelf that keeps it out of the queue
    state TEXT NOT NULL DEFAULT 'new', -- new, taken, parked, closed
    by TEXT, -- the officer of this state
    since_us INTEGER NOT NULL, -- beginning of this state
    active_us INTEGER, -- last activity of the officer who has it
    until_us INTEGER, -- end of the parking
    outcome TEXT,
    note TEXT,
    escalated INTEGER NOT NULL DEFAULT 0, -- last level that was reached since it has waited
    taken_us INTEGER, -- when it was first taken or closed by a person
    tab TEXT NOT NULL GENERATED ALWAYS AS (CASE
        WHEN state = 'closed' THEN 'closed' WHEN is_test THEN 'test' WHEN shelf IS NOT NULL THEN 'shelved'
        WHEN state = 'parked' THEN 'parked' ELSE 'open' END) VIRTUAL
) STRICT;
CREATE INDEX event_by_tab ON event (tab, severity DESC, first_us);
CREATE INDEX event_by_time ON event (first_us);
CREATE INDEX event_by_close ON event (since_us) WHERE state = 'closed';
CREATE INDEX event_by_key ON event (ward, box, key, opened_last_us) WHERE state <> 'closed';
CREATE INDEX event_taken ON event (active_us) WHERE state = 'taken';
CREATE INDEX event_parked ON event (until_us) WHERE state = 'parked';
CREATE INDEX event_waiting ON event (since_us) WHERE state = 'new' AND escalated < 3;

CREATE TABLE event_alert (
    alert TEXT NOT NULL, -- id
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    event INTEGER NOT NULL REFERENCES event (number) ON DELETE CASCADE,
    PRIMARY KEY (alert, ward, box)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_alert_by_event ON event_alert (event);

-- Steps of people and of the post; a part of the log that log_chain covers.
CREATE TABLE decision (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    who TEXT, -- NULL for the post itself
    event INTEGER,
    action TEXT NOT NULL,
    detail TEXT NOT NULL -- JSON
) STRICT;
CREATE INDEX decision_by_event ON decision (event) WHERE event IS NOT NULL;
CREATE TRIGGER decision_stays BEFORE UPDATE ON decision
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;

-- Changes in their order, for pages that follow them; old ones are removed.
CREATE TABLE change (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    event INTEGER,
    level INTEGER -- of an escalation
) STRICT;
CREATE INDEX change_by_age ON change (at_us);

-- Calls of the hook that are to be made.
CREATE TABLE hook_call (
    event INTEGER PRIMARY KEY REFERENCES event (number) ON DELETE CASCADE,
    due_us INTEGER NOT NULL, -- time of the next attempt
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE shelf (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    camera TEXT, -- NULL for all
    rule TEXT, -- NULL for all
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    begun_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    ended_us INTEGER -- NULL while it lasts
) STRICT;
CREATE INDEX shelf_by_box ON shelf (ward, box) WHERE ended_us IS NULL;

CREATE TABLE flood (
    begun_us INTEGER PRIMARY KEY,
    ended_us INTEGER -- NULL while it lasts
) STRICT;

CREATE TABLE shift (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    officer TEXT NOT NULL,
    begun_us INTEGER NOT NULL,
    sound_tested INTEGER NOT NULL,
    ended_us INTEGER, -- NULL while it lasts
    hand_over TEXT -- JSON: the state that was handed over
) STRICT;
CREATE INDEX shift_by_end ON shift (ended_us);

-- Further pictures of an alert. One whose alert has not come yet waits for it.
CREATE TABLE still (
    alert TEXT NOT NULL, -- id
    ward TEXT NOT NULL,
    box TEXT NOT NULL,
    kind TEXT NOT NULL, -- before, after, crop
    taken_us INTEGER NOT NULL, -- on the box's clock
    received_us INTEGER NOT NULL,
    waits INTEGER NOT NULL, -- its alert has not come
    jpeg BLOB NOT NULL,
    PRIMARY KEY (alert, ward, box, kind)
) STRICT;
CREATE INDEX still_that_waits ON still (ward, box, received_us) WHERE waits;
CREATE INDEX still_by_age ON still (received_us);
