//! Messages of the boxes of the drawn ward, as they would come from a broker.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::tz::TimeZone;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use wardlink::client::Incoming;

use super::picture::{self, Subject};
use crate::arrival::{Arrival, Sender};
use base::time::WallTime;

/// The drawn ward.
pub(super) const WARD: &str = "ben-nghe";
/// Boxes, with the first of their cameras and the number of these. The last but one is being commissioned, the last is silent.
pub(super) const BOXES: [(&str, usize, usize); 4] =
    [("box-cho", 0, 4), ("box-truong", 4, 3), ("box-ben-tau", 7, 2), ("box-cong-vien", 9, 1)];
/// Cameras: id, name, and their places on the plan in thousandths.
pub(super) const CAMERAS: [(&str, &str, [u32; 2]); 10] = [
    ("cho-cong-tay", "Cổng Tây chợ Bến Thành", [180, 260]),
    ("cho-cong-dong", "Cổng Đông chợ Bến Thành", [345, 210]),
    ("phan-boi-chau", "Ngã ba Phan Bội Châu", [310, 420]),
    ("le-loi", "Ngã tư Lê Lợi – Pasteur", [505, 350]),
    ("truong-cong", "Cổng trường Lê Văn Tám", [470, 620]),
    ("hem-42", "Hẻm 42 Nguyễn Trãi", [230, 690]),
    ("ton-that-dam", "Chợ cũ Tôn Thất Đạm", [640, 540]),
    ("ben-bach-dang", "Bến Bạch Đằng", [800, 300]),
    ("bai-xe", "Bãi xe bến tàu", [780, 660]),
    ("cong-vien", "Công viên 23 Tháng 9", [90, 480]),
];

/// A rule of the drawn ward.
struct Rule {
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    code: &'static str,
    severity: &'static str,
    label: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        id: "dem",
        name: "Vào khu vực ban đêm",
        kind: "intrusion",
        code: "in-zone",
        severity: "warning",
        label: "person",
    },
    Rule {
        id: "tu-tap",
        name: "Tụ tập đông người",
        kind: "crowd",
        code: "crowd",
        severity: "critical",
        label: "person",
    },
    Rule {
        id: "dung-do",
        name: "Dừng đỗ trái phép",
        kind: "stopped_vehicle",
        code: "stopped",
        severity: "notice",
        label: "car",
    },
    Rule {
        id: "quanh-quan",
        name: "Quanh quẩn gần xe",
        kind: "loitering",
        code: "loitering",
        severity: "warning",
        label: "person",
    },
    Rule {
        id: "nguoc-chieu",
        name: "Đi vào đường cấm",
        kind: "intrusion",
        code: "entered-zone",
        severity: "notice",
        label: "two-wheeler",
    },
];

/// Camera and rule of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    /// Number of the camera.
    pub camera: usize,
    /// Number of the rule.
    pub rule: usize,
}

impl Case {
    /// True for a rule whose alerts at this camera are mostly false: a tree moves there.
    pub const fn is_doubtful(self) -> bool {
        self.camera == 5 || (self.rule == 3 && self.camera.is_multiple_of(3))
    }
}

/// Box of a camera.
pub(super) fn sender(camera: usize) -> Option<Sender> {
    let (id, ..) = BOXES[box_of(camera)];
    Some(Sender { ward: WARD.parse().ok()?, box_id: id.parse().ok()? })
}

fn box_of(camera: usize) -> usize {
    BOXES.iter().rposition(|(_, first, _)| *first <= camera).unwrap_or(0)
}

/// Makes the messages. The same seed makes the same ones.
pub(super) struct Alerts {
    lot: StdRng,
    timezone: TimeZone,
    made: u64,
    /// Last number of each box's outbox.
    numbers: [u64; BOXES.len()],
}

impl Alerts {
    pub fn new(seed: u64, timezone: TimeZone) -> Self {
        Self { lot: StdRng::seed_from_u64(seed), timezone, made: 0, numbers: [0; BOXES.len()] }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.lot.random_range(0..end.max(1))
    }

    /// A camera and a rule by lot; critical ones are rare. Boxes on test and silent ones are left out.
    pub fn case(&mut self) -> Case {
        let camera = [0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 5, 6][self.below(12) as usize];
        let rule = [0, 0, 0, 1, 2, 2, 2, 3, 3, 4, 4, 4][self.below(12) as usize];
        Case { camera, rule }
    }

    /// Hour of the day at a time.
    pub fn hour(&self, at: WallTime) -> u8 {
        let stamp = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
        self.timezone.to_datetime(stamp).hour().unsigned_abs()
    }

    /// An alert that opened two seconds before it arrived.
    pub fn alert(&mut self, case: Case, at: WallTime) -> Arrival {
        let (rule, (camera, name, _)) = (&RULES[case.rule], CAMERAS[case.camera]);
        let number = box_of(case.camera);
        self.made += 1;
        self.numbers[number] += 1;
        let opened_at = at - Duration::from_secs(2);
        let count = if rule.kind == "crowd" { 6 + self.below(5) } else { 1 };
        let subject = match rule.label {
            "car" => Subject::Car,
            "two-wheeler" => Subject::Motorcycle,
            _ => Subject::People(u8::try_from(count.min(7)).unwrap_or(1)),
        };
        let jpeg = picture::street(case.camera as u64, self.hour(at), subject, self.made);
        let tenths = 20 + self.below(60);
        let message = json!({
            "schema": "wardwatch.alert/1", "id": self.id(opened_at), "seq": self.numbers[number], "phase": "opened",
            "outbox": outbox(number), "ward": WARD, "box": BOXES[number].0,
            "camera": { "id": camera, "name": name },
            "rule": { "id": rule.id, "kind": rule.kind, "name": rule.name },
            "severity": rule.severity, "opened_at": opened_at, "clock": "synced",
            "subjects": [{ "track": self.made, "label": rule.label, "score": 0.6 + 0.05 * (self.made % 7) as f64,
                           "box": [0.4, 0.4, 0.2, 0.4], "path": [] }],
            "count": count, "zone": "khu-vuc", "why": "drawn for a demonstration",
            "reason": { "code": rule.code, "place": name, "numbers": {
                "seconds": tenths as f64 / 10.0, "seconds_needed": 2.0, "count": count, "count_needed": 6.0 } },
            "model": { "name": "demonstration" },
            "clip": { "ref": format!("demo-{}", self.made), "starts_at": opened_at },
            "thumbnail": BASE64.encode(jpeg),
        });
        arrival(BOXES[number].0, "alert", &message, at)
    }

    /// Id of version 7 with the time and a lot.
    fn id(&mut self, at: WallTime) -> uuid::Uuid {
        let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0);
        let mut lot = [0; 10];
        self.lot.fill(&mut lot);
        uuid::Builder::from_unix_timestamp_millis(millis, &lot).into_uuid()
    }

    /// The status of a box: one camera of the market has no picture.
    pub fn status(&self, number: usize, at: WallTime) -> Arrival {
        let (id, first, count) = BOXES[number];
        let cameras: Vec<Value> = CAMERAS[first..first + count]
            .iter()
            .map(|(camera, ..)| {
                let is_away = *camera == "phan-boi-chau";
                json!({ "id": camera, "state": if is_away { "backing-off" } else { "live" }, "since": at,
                        "reason": is_away.then_some("no route to host") })
            })
            .collect();
        let message = json!({
            "schema": "wardwatch.status/1", "presence": "online", "ward": WARD, "box": id, "version": env!("CARGO_PKG_VERSION"),
            "boot_id": "demonstration", "started_at": at, "cameras": cameras, "outbox_depth": 0, "clock": "synced",
            "on_test": id == "box-ben-tau",
        });
        arrival(id, "status", &message, at)
    }
}

/// The outbox of a box.
fn outbox(number: usize) -> String {
    format!("6f1c1f5e-2f0f-4d0f-8a5e-0a8b4f1b7c{number:02}")
}

fn arrival(id: &str, kind: &str, message: &Value, at: WallTime) -> Arrival {
    let payload = message.to_string().into_bytes();
    Arrival::read(Incoming {
        topic: format!("wardwatch/v1/{WARD}/{id}/{kind}"),
        bytes: payload.len(),
        payload,
        is_retained: false,
        at,
    })
}
