//! The alert message, schema `wardwatch.alert/1`: written on the box, read at the ward post.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Event, Phase, RuleRef, Severity, Subject};
use super::ids::{AlertId, BoxId, CameraId, OutboxId, WardId, ZoneId};
use super::reason::Reason;
use super::time::{ClockState, WallTime};

/// The value of `schema` in every alert message of this version.
pub const SCHEMA: &str = "wardwatch.alert/1";

/// The largest thumbnail in bytes, before base64.
pub const THUMBNAIL_BYTES_MAX: usize = 24 * 1024;

/// `seq` of a message that is sent ahead: the box has not been able to store it yet, or its picture would take long. The same
/// message comes again with its number. A receiver knows it by then by `id` and `phase`, but may lack the picture.
pub const NOT_KEPT: u64 = 0;

/// The camera, as an alert names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraRef {
    /// Its id in the configuration.
    pub id: CameraId,
    /// Name that people use for the place.
    pub name: String,
    /// Latitude in degrees (WGS 84).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Longitude in degrees (WGS 84).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    /// Direction of its view, in degrees clockwise from north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<f32>,
}

/// The detector behind an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelRef {
    /// Its name: a manifest's, or `motion`.
    pub name: String,
    /// sha256 of the network's file in hexadecimal; absent for the built-in motion detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// The footage of an alert. It stays on the box: `wardwatch clips export REF`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClipRef {
    /// Reference with which the box finds it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Start of the footage, pre-roll included.
    pub starts_at: WallTime,
    /// End of the footage, post-roll included; absent while the alert is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<WallTime>,
    /// sha256 of the footage once it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A JPEG of the subject, at most [`THUMBNAIL_BYTES_MAX`] bytes; base64 in the message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("contentEncoding" = "base64", "contentMediaType" = "image/jpeg"))]
pub struct Thumbnail(pub Vec<u8>);

impl TryFrom<String> for Thumbnail {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Thumbnail> for String {
    fn from(thumbnail: Thumbnail) -> String {
        STANDARD.encode(thumbnail.0)
    }
}

/// Its size only.
impl std::fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Thumbnail({} bytes)", self.0.len())
    }
}

/// One message about an event, on topic `wardwatch/v1/{ward}/{box}/alert`.
///
/// Delivered at least once. `id` and `phase` together name the message, `seq` its place: a receiver that keeps one
/// message per (`id`, `phase`) has each exactly once, and a hole in `seq` is a message that is still missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The alert's id, the same when it opens and when it closes.
    pub id: AlertId,
    /// Counts the box's messages from 1, without holes. 0: the box's disk has not taken this message yet, or the link is
    /// slow and this goes ahead of the picture; it comes again with its number.
    pub seq: u64,
    /// The outbox in which `seq` counts.
    #[serde(default)]
    pub outbox: OutboxId,
    /// Start or end of the event.
    pub phase: Phase,
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// The camera.
    pub camera: CameraRef,
    /// The rule.
    pub rule: RuleRef,
    /// Severity.
    pub severity: Severity,
    /// Start of the event.
    pub opened_at: WallTime,
    /// End of the event; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<WallTime>,
    /// Trust in these times.
    pub clock: ClockState,
    /// The first alert of the same incident: others were told of before. Absent in that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<AlertId>,
    /// Subjects that took part, the first one first; of a further alert, those whom no earlier one named.
    pub subjects: Vec<Subject>,
    /// Number of subjects that took part; of a further alert, since the incident began.
    pub count: u32,
    /// The zone or tripwire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneId>,
    /// Reason why the rule fired, with its numbers, in English.
    pub why: String,
    /// The same reason as a code with numbers, for a text in another language. Absent from boxes that do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The detector.
    pub model: ModelRef,
    /// The footage.
    pub clip: ClipRef,
    /// The subject as a picture; only when it opens, and absent where no frame could be had. What comes again with its
    /// number may have a picture that it did not have the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Thumbnail>,
    /// Reason why the picture of the box is not in this message, for a person: the broker takes no message of
    /// that size. It stays on the box with the footage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_withheld: Option<String>,
    /// Reason why details of the box are not in this message, for a person: the broker takes no message of that
    /// size. The subjects' paths are left out first, then the subjects, then the camera's place, the checksums and
    /// `reason`. `count` and `why` are always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_withheld: Option<String>,
    /// The ward and the box that this alert was stored for, where the box has been renamed or moved since. Absent where
    /// they are those of this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Former>,
}

/// Ward and id of a box before it was renamed or moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Former {
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
}

/// Form of an alert message, the largest first. `count` and `why` are in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Without the picture.
    NoPicture,
    /// Without the subjects' paths, too.
    NoPaths,
    /// Without subjects, too.
    NoSubjects,
    /// Without the camera's place, the checksums and `reason`, too.
    Bare,
}

impl Form {
    /// All forms, the largest first.
    pub const ALL: [Self; 4] = [Self::NoPicture, Self::NoPaths, Self::NoSubjects, Self::Bare];
}

impl Alert {
    /// This alert under another ward and box. The first ones stay in `former`.
    #[must_use]
    pub fn under(mut self, ward: &WardId, box_id: &BoxId) -> Self {
        if self.ward != *ward || self.box_id != *box_id {
            let before = Former { ward: self.ward, box_id: self.box_id };
            let first = self.former.take().unwrap_or(before);
            self.former = Some(first).filter(|first| first.ward != *ward || first.box_id != *box_id);
            (self.ward, self.box_id) = (ward.clone(), box_id.clone());
        }
        self
    }

    /// This alert in a smaller form, with the reason.
    #[must_use]
    pub fn reduced(&self, form: Form, why: &str) -> Self {
        let mut alert = self.clone();
        if alert.thumbnail.take().is_some() {
            alert.thumbnail_withheld = Some(why.to_owned());
        }
        if form >= Form::NoPaths {
            alert.subjects.iter_mut().for_each(|subject| subject.path.clear());
            alert.details_withheld = Some(why.to_owned());
        }
        if form >= Form::NoSubjects {
            alert.subjects.clear();
        }
        if form >= Form::Bare {
            (alert.camera.lat, alert.camera.lon, alert.camera.heading) = (None, None, None);
            (alert.model.sha256, alert.clip.sha256) = (None, None);
            alert.reason = None;
        }
        alert
    }
}

/// An alert before the store gave it its number: everything but `seq`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertDraft {
    /// The event.
    pub event: Event,
    /// The ward.
    pub ward: WardId,
    /// The box.
    pub box_id: BoxId,
    /// The camera.
    pub camera: CameraRef,
    /// The detector.
    pub model: ModelRef,
    /// The footage.
    pub clip: ClipRef,
    /// The subject as a picture.
    pub thumbnail: Option<Thumbnail>,
}

impl AlertDraft {
    /// The message, with number `seq` of `outbox`.
    pub fn into_alert(self, outbox: OutboxId, seq: u64) -> Alert {
        let event = self.event;
        Alert {
            schema: SCHEMA.to_owned(),
            id: event.id,
            seq,
            outbox,
            phase: event.phase,
            ward: self.ward,
            box_id: self.box_id,
            camera: self.camera,
            rule: event.rule,
            severity: event.severity,
            opened_at: event.opened_at.wall,
            closed_at: event.closed_at.map(|at| at.wall),
            clock: event.closed_at.unwrap_or(event.opened_at).clock,
            follows: event.follows,
            subjects: event.subjects,
            count: event.count,
            zone: event.zone,
            why: event.why,
            reason: event.reason,
            model: self.model,
            clip: self.clip,
            thumbnail: self.thumbnail,
            thumbnail_withheld: None,
            details_withheld: None,
            former: None,
        }
    }
}

/// The JSON Schema of [`Alert`], pretty-printed; `deploy/alert.schema.json` is this text.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Alert);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Code;
    use crate::time::{Monotonic, Stamp};

    fn draft() -> AlertDraft {
        let at = Stamp {
            wall: WallTime::from_micros(1_777_673_643_120_000),
            monotonic: Monotonic::from_nanos(5),
            clock: ClockState::Holdover,
        };
        AlertDraft {
            event: Event {
                id: AlertId::new(at.wall.as_unix_millis()),
                phase: Phase::Opened,
                camera: "gate".parse().unwrap(),
                rule: RuleRef {
                    id: "night".parse().unwrap(), kind: "intrusion".into(), name: "Đêm".into()
                },
                severity: Severity::Warning,
                opened_at: at,
                closed_at: None,
                follows: None,
                subjects: Vec::new(),
                count: 1,
                zone: None,
                why: "a test".into(),
                reason: Some(Reason::new(Code::EnteredZone)),
            },
            ward: "ben-nghe".parse().unwrap(),
            box_id: "box-1".parse().unwrap(),
            camera: CameraRef {
                id: "gate".parse().unwrap(),
                name: "Cổng".into(),
                lat: None,
                lon: None,
                heading: None,
            },
            model: ModelRef { name: "motion".into(), sha256: None },
            clip: ClipRef { reference: "x".into(), starts_at: at.wall, ends_at: None, sha256: None },
            thumbnail: Some(Thumbnail(vec![0xff, 0xd8, 0xff])),
        }
    }

    #[test]
    fn a_message_reads_back_and_ignores_unknown_fields() {
        let alert = draft().into_alert(OutboxId::default(), 7);
        let mut value = serde_json::to_value(&alert).unwrap();
        assert_eq!(value["thumbnail"], "/9j/");
        assert_eq!(value["clock"], "holdover");
        assert_eq!(value["opened_at"], "2026-05-01T22:14:03.120Z");
        value["from_the_future"] = 1.into();
        assert_eq!(serde_json::from_value::<Alert>(value).unwrap(), alert);
    }

    #[test]
    fn each_form_is_smaller_and_keeps_count_and_reason() {
        let mut alert = draft().into_alert(OutboxId::default(), 7);
        let subject = serde_json::json!({"track": 1, "label": "person", "score": 0.5, "box": [0.1, 0.1, 0.2, 0.2],
            "path": [[0.1, 0.2], [0.2, 0.2], [0.3, 0.2], [0.4, 0.2], [0.5, 0.2], [0.6, 0.2]]});
        alert.subjects = vec![serde_json::from_value(subject).unwrap(); 3];
        (alert.count, alert.camera.lat, alert.thumbnail) = (9, Some(10.5), Some(Thumbnail(vec![1; 900])));
        let bytes = |alert: &Alert| serde_json::to_vec(alert).unwrap().len();
        let mut before = bytes(&alert);
        for form in Form::ALL {
            let reduced = alert.reduced(form, "why");
            assert!(bytes(&reduced) < before, "{form:?}");
            assert_eq!((reduced.count, &reduced.why), (9, &alert.why));
            assert_eq!(reduced.thumbnail_withheld.as_deref(), Some("why"));
            assert_eq!(reduced.details_withheld.is_some(), form > Form::NoPicture);
            before = bytes(&reduced);
        }
        assert_eq!(alert.reduced(Form::NoPaths, "why").subjects.len(), 3);
    }

    #[test]
    fn a_box_that_was_renamed_says_its_first_name() {
        let alert = draft().into_alert(OutboxId::default(), 7);
        let (ward, box_id) = ("da-kao".parse().unwrap(), "box-9".parse().unwrap());
        assert_eq!(alert.clone().under(&alert.ward, &alert.box_id), alert);
        let moved = alert.clone().under(&ward, &alert.box_id).under(&ward, &box_id);
        assert_eq!((&moved.ward, &moved.box_id), (&ward, &box_id));
        assert_eq!(moved.former, Some(Former { ward: alert.ward.clone(), box_id: alert.box_id.clone() }));
        assert_eq!(moved.under(&alert.ward, &alert.box_id), alert, "and back");
    }

    #[test]
    fn the_checked_in_schema_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/alert.schema.json");
        if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(path, json_schema()).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap();
        assert!(json_schema() == checked_in, "deploy/alert.schema.json is out of date: run `make schemas`");
    }
}
