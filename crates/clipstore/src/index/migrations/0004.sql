-- Whose clock a segment's presentation times follow, and what a fragment begins with.

ALTER TABLE segment ADD COLUMN time_source TEXT NOT NULL DEFAULT 'camera';

ALTER TABLE fragment ADD COLUMN start TEXT NOT NULL DEFAULT 'key-frame';
