//! Made-up alerts and statuses.

use std::time::Duration;

use serde_json::json;

use crate::arrival::{Arrival, Sender};
use crate::events::{Authority, Who};
use base::alert::Alert;
use base::ids::{AlertId, OutboxId};
use base::status::OutboxStatus;
use base::time::WallTime;
use base::vitals::AccessLogVitals;
use wardlink::client::Incoming;

/// A box of ward `ben-nghe`.
pub fn sender(box_id: &str) -> Sender {
    Sender { ward: "ben-nghe".parse().unwrap(), box_id: box_id.parse().unwrap() }
}

/// An alert that has opened, with a thumbnail of three bytes.
pub fn alert(box_id: &str, seq: u64) -> Alert {
    serde_json::from_value(json!({
        "schema": "wardwatch.alert/1", "id": AlertId::new(1_777_673_643_120), "seq": seq,
        "phase": "opened", "ward": "ben-nghe", "box": box_id,
        "camera": { "id": "gate", "name": "Cổng chợ", "lat": 10.7769, "lon": 106.7009 },
        "rule": { "id": "night", "kind": "intrusion", "name": "Đêm" },
        "severity": "warning", "opened_at": "2026-05-01T22:14:03.120Z", "clock": "synced",
        "subjects": [{ "track": 4, "label": "two-wheeler", "score": 0.9, "box": [0.1, 0.2, 0.3, 0.4], "path": [] }],
        "count": 1, "zone": "yard", "why": "two-wheeler in \"yard\" for 2.4 s (2.0 s needed)",
        "reason": { "code": "in-zone", "place": "Sân", "numbers": { "seconds": 2.4, "seconds_needed": 2.0 } },
        "model": { "name": "street-nano" },
        "clip": { "ref": "clip-1", "starts_at": "2026-05-01T22:13:58.120Z" },
        "thumbnail": "/9j/",
    }))
    .unwrap()
}

/// Message of an alert, as the broker delivers it.
pub fn message(alert: &Alert) -> Incoming {
    let payload = serde_json::to_vec(alert).unwrap();
    Incoming {
        topic: format!("wardwatch/v1/{}/{}/alert", alert.ward, alert.box_id),
        bytes: payload.len(),
        payload,
        is_retained: false,
        at: WallTime::from_micros(1_777_673_644_000_000),
    }
}

/// Arrival of an alert.
pub fn arrival(alert: &Alert) -> Arrival {
    Arrival::read(message(alert))
}

/// Status of a box of ward `ben-nghe`.
pub fn status(box_id: &str, outbox: Option<OutboxStatus>) -> Arrival {
    let status = json!({
        "schema": "wardwatch.status/1", "presence": "online", "ward": "ben-nghe", "box": box_id, "version": "0.1.0",
        "boot_id": "boot", "started_at": "2026-05-01T22:14:03.120Z", "cameras": [], "outbox_depth": 0,
        "outbox": outbox, "clock": "synced",
    });
    let payload = status.to_string().into_bytes();
    Arrival::read(Incoming {
        topic: format!("wardwatch/v1/ben-nghe/{box_id}/status"),
        bytes: payload.len(),
        payload,
        is_retained: false,
        at: WallTime::from_micros(1_777_673_644_000_000),
    })
}

/// Vitals of a box of ward `ben-nghe` with the end of its access log, received at `at`.
pub fn vitals(box_id: &str, access_log: Option<AccessLogVitals>, at: WallTime) -> Arrival {
    let vitals = json!({
        "schema": "wardwatch.vitals/1", "ward": "ben-nghe", "box": box_id, "at": "2026-05-01T22:14:03.120Z",
        "seconds": 60.0, "disk": { "clip_bytes": 0, "held_bytes": 0, "lost_fragments": 0 }, "memory": {},
        "throttle": 1.0, "cameras": [], "access_log": access_log,
    });
    let payload = vitals.to_string().into_bytes();
    let topic = format!("wardwatch/v1/ben-nghe/{box_id}/vitals");
    Arrival::read(Incoming { topic, bytes: payload.len(), payload, is_retained: false, at })
}

/// A time in seconds after the alerts of this module have arrived.
pub fn after(seconds: u64) -> WallTime {
    WallTime::from_micros(1_777_673_644_000_000) + Duration::from_secs(seconds)
}

/// An alert of a camera and a rule that arrives `seconds` after the first, and opened as much later.
pub fn later(camera: &str, rule: &str, seconds: u64) -> Arrival {
    let mut alert = alert("box-1", 0);
    alert.camera.id = camera.parse().unwrap();
    alert.rule.id = rule.parse().unwrap();
    alert.opened_at = alert.opened_at + Duration::from_secs(seconds);
    alert.seq = 1 + seconds;
    alert.outbox = OutboxId::random();
    Arrival { at: after(seconds), ..arrival(&alert) }
}

/// A person with the authority of an officer.
pub fn officer(name: &str) -> Who {
    Who::Person(name.parse().unwrap(), Authority::Officer)
}
