-- Version 3: the alert under a number of an outbox, for acknowledgements that name it.

CREATE INDEX alert_by_number ON alert (ward, box, outbox, seq);
