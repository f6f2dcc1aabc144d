-- Segments longer than 90 s, which a search for footage by time looks up apart. Few or none where a segment has a minute.

CREATE INDEX segment_long ON segment (camera, starts_wall_us) WHERE ends_wall_us - starts_wall_us > 90000000;
