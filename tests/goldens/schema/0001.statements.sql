-- What the program of the first index version says to an index, with values in place of its parameters, in an order
-- that makes sense. `--= ` lines are the rows that must come back.

-- Writer: a segment starts.
INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                     ends_wall_us, codec, width, height, init_bytes, bytes, ended)
VALUES (1, 'gate', 0, 'gate/2026-05-01/22/a.mp4', 'boot', 1000000, 5000, 'unsynced', 1000000, 'h264', 1920, 1080, 15, 15, 0);

INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                     ends_wall_us, codec, width, height, init_bytes, bytes, ended)
VALUES (2, 'gate', 1, 'gate/2026-05-01/22/b.mp4', 'boot', 9000000, 5000, 'synced', 9000000, 'h265', 1920, 1080, 15, 15, 0);

-- Writer: fragments.
INSERT INTO fragment (segment, offset_bytes, bytes, pts_ns, duration_ns, wall_us, samples, sha256)
VALUES (1, 15, 100, 0, 2000000000, 1000000, 30, x'00');

UPDATE segment SET bytes = 115, ends_wall_us = 3000000 WHERE id = 1;

INSERT INTO fragment (segment, offset_bytes, bytes, pts_ns, duration_ns, wall_us, samples, sha256)
VALUES (1, 115, 100, 2000000000, 2000000000, 3000000, 30, x'01');

UPDATE segment SET bytes = 215, ends_wall_us = 5000000 WHERE id = 1;

INSERT INTO fragment (segment, offset_bytes, bytes, pts_ns, duration_ns, wall_us, samples, sha256)
VALUES (2, 15, 100, 0, 2000000000, 9000000, 30, x'02');

UPDATE segment SET bytes = 115, ends_wall_us = 11000000 WHERE id = 2;

UPDATE segment SET ended = 1 WHERE id = 1;

-- Start: what there is, and what is mended.
SELECT coalesce(max(id), 0) + 1 FROM segment
--= 3
;

SELECT id, path, bytes FROM segment ORDER BY id
--= 1|gate/2026-05-01/22/a.mp4|215
--= 2|gate/2026-05-01/22/b.mp4|115
;

DELETE FROM fragment WHERE segment = 1 AND offset_bytes + bytes > 200;

SELECT offset_bytes + bytes, wall_us + duration_ns / 1000 FROM fragment
WHERE segment = 1 ORDER BY offset_bytes DESC LIMIT 1
--= 115|3000000
;

UPDATE segment SET bytes = 115, ends_wall_us = 3000000 WHERE id = 1;

UPDATE segment SET ended = 1 WHERE ended = 0;

-- Reader: footage.
SELECT path, camera, epoch, starts_wall_us, ends_wall_us, clock, codec, width, height, bytes, ended FROM segment
WHERE camera = 'gate' AND starts_wall_us < 4000000 AND ends_wall_us > 2000000 ORDER BY starts_wall_us, id
--= gate/2026-05-01/22/a.mp4|gate|0|1000000|3000000|unsynced|h264|1920|1080|115|1
;

SELECT path, camera, epoch, starts_wall_us, ends_wall_us, clock, codec, width, height, bytes, ended FROM segment
WHERE (NULL IS NULL OR camera = NULL) AND ends_wall_us > -9223372036854775808 AND starts_wall_us < 9223372036854775807
ORDER BY starts_wall_us DESC, id DESC LIMIT 1
--= gate/2026-05-01/22/b.mp4|gate|1|9000000|11000000|synced|h265|1920|1080|115|1
;

-- Writer: an alert opens, and closes.
SELECT seq FROM alert WHERE event = 'e' AND phase = 'opened';

INSERT INTO event (id, camera, rule, kind, severity, why, boot_id, clock, opened_wall_us,
                   opened_monotonic_ns, closed_wall_us, clip_starts_wall_us, clip_ends_wall_us)
VALUES ('e', 'gate', 'night', 'intrusion', 'warning', 'a test', 'boot', 'synced', 2000000, 5000, NULL, 1500000, NULL)
ON CONFLICT (id) DO UPDATE SET
    severity = excluded.severity,
    why = excluded.why,
    closed_wall_us = coalesce(excluded.closed_wall_us, closed_wall_us),
    clip_ends_wall_us = coalesce(excluded.clip_ends_wall_us, clip_ends_wall_us);

UPDATE sequence SET last = last + 1 RETURNING last
--= 1
;

INSERT INTO alert (seq, event, phase, message, thumbnail, stored_wall_us)
VALUES (1, 'e', 'opened', '{}', NULL, 2000000);

INSERT INTO outbox (seq) VALUES (1);

INSERT INTO event (id, camera, rule, kind, severity, why, boot_id, clock, opened_wall_us,
                   opened_monotonic_ns, closed_wall_us, clip_starts_wall_us, clip_ends_wall_us)
VALUES ('e', 'gate', 'night', 'intrusion', 'critical', 'more', 'boot', 'synced', 2000000, 5000, 2200000, 1500000, 2500000)
ON CONFLICT (id) DO UPDATE SET
    severity = excluded.severity,
    why = excluded.why,
    closed_wall_us = coalesce(excluded.closed_wall_us, closed_wall_us),
    clip_ends_wall_us = coalesce(excluded.clip_ends_wall_us, clip_ends_wall_us);

UPDATE sequence SET last = last + 1 RETURNING last
--= 2
;

INSERT INTO alert (seq, event, phase, message, thumbnail, stored_wall_us)
VALUES (2, 'e', 'closed', '{"closed":1}', NULL, 2200000);

INSERT INTO outbox (seq) VALUES (2);

SELECT message, thumbnail FROM alert WHERE seq = 2
--= {"closed":1}|Null
;

-- Reader: the outbox, and clips.
SELECT seq, message, thumbnail FROM outbox JOIN alert USING (seq) WHERE seq > 1 ORDER BY seq LIMIT 10
--= 2|{"closed":1}|Null
;

SELECT (SELECT count(*) FROM outbox),
       (SELECT opened_wall_us FROM event JOIN alert ON alert.event = event.id
        WHERE seq = (SELECT min(seq) FROM outbox))
--= 2|2000000
;

DELETE FROM outbox WHERE seq = 1;

SELECT camera, clip_starts_wall_us, clip_ends_wall_us FROM event WHERE id = 'e'
--= gate|1500000|2500000
;

SELECT event.id, event.camera, event.rule, event.severity, event.opened_wall_us,
       event.closed_wall_us, count(segment.id), coalesce(sum(segment.bytes), 0)
FROM event LEFT JOIN segment
    ON segment.camera = event.camera
    AND segment.ends_wall_us > event.clip_starts_wall_us
    AND segment.starts_wall_us < coalesce(event.clip_ends_wall_us, 9223372036854775807)
WHERE (NULL IS NULL OR event.camera = NULL)
    AND coalesce(event.clip_ends_wall_us, 9223372036854775807) > 0
    AND event.clip_starts_wall_us < 9223372036854775807
GROUP BY event.id ORDER BY event.opened_wall_us DESC, event.id DESC LIMIT 10
--= e|gate|night|critical|2000000|2200000|1|115
;

-- Writer: retention.
DELETE FROM segment WHERE id = 1;

SELECT count(*) FROM fragment
--= 1
;
