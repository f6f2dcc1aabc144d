//! Parser of arriving messages: topic and payload in, a checked message or the reason of its refusal out. Pure.

use serde::Deserialize;
use serde_json::Value;

use base::alert::{self, Alert};
use base::ids::{BoxId, WardId};
use base::status::{self, Status};
use base::still::{self, STILLS_BYTES_MAX, Still};
use base::time::WallTime;
use base::vitals::{self, Vitals};
use wardlink::client::Incoming;

/// Maximum payload; a longer one is refused. An alert with its thumbnail has 40 KiB.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Maximum part of a refused payload that is stored.
pub const REFUSED_BYTES_MAX: usize = 64 * 1024;

/// Maximum number of characters of a text in a message, but for the thumbnail: hundreds of times of those that boxes write.
pub const TEXT_MAX: usize = 4096;
/// Maximum width and height of a thumbnail in pixels: a viewer takes memory for the size that a picture claims.
pub const THUMBNAIL_PIXELS_MAX: u16 = 4096;
/// Maximum length of a thumbnail in bytes: ten times that of those that boxes make.
pub const THUMBNAIL_BYTES_MAX: usize = 256 * 1024;

/// One box. Ids are unique within a ward.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender {
    /// Its ward.
    pub ward: WardId,
    /// Its id there.
    pub box_id: BoxId,
}

impl std::fmt::Display for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ward, self.box_id)
    }
}

/// A message after the checks, accepted or refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The box that its topic names; `None` where the topic is not valid.
    pub sender: Option<Sender>,
    /// Time of its arrival.
    pub at: WallTime,
    /// The broker had retained it.
    pub retained: bool,
    /// Its content.
    pub content: Content,
}

/// Content of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// An alert.
    Alert(Box<ArrivedAlert>),
    /// A further picture of an alert.
    Still(Box<Still>),
    /// A box's status.
    Status(Box<Status>),
    /// A box's vitals.
    Vitals(Box<Vitals>),
    /// A message that cannot be used.
    Refused(Refused),
}

/// An alert, and its message as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrivedAlert {
    /// The fields that this version knows.
    pub alert: Alert,
    /// The whole message but for the thumbnail, including fields that this version does not know.
    pub message: Value,
}

impl ArrivedAlert {
    /// The box under its former name, where it has been renamed or moved since the alert was stored.
    pub fn former(&self) -> Option<Sender> {
        let former = self.alert.former.as_ref()?;
        Some(Sender { ward: former.ward.clone(), box_id: former.box_id.clone() })
    }
}

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its topic.
    pub topic: String,
    /// Reason of the refusal.
    pub why: String,
    /// Its first [`REFUSED_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
    /// Its whole length.
    pub bytes: usize,
}

impl Arrival {
    /// Reads a message. Never fails: an invalid message becomes [`Content::Refused`].
    pub fn read(message: Incoming) -> Self {
        let (sender, kind) = match split(&message.topic) {
            Ok((sender, kind)) => (Some(sender), Ok(kind)),
            Err(why) => (None, Err(why)),
        };
        let content = kind.and_then(|kind| match &sender {
            Some(sender) => content(&message, sender, kind),
            None => Err("nobody sent it".to_owned()),
        });
        let (at, retained) = (message.at, message.is_retained);
        let content = content.unwrap_or_else(|why| {
            let Incoming { topic, mut payload, bytes, .. } = message;
            payload.truncate(REFUSED_BYTES_MAX);
            Content::Refused(Refused { topic, why, payload, bytes })
        });
        Self { sender, at, retained, content }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Alert,
    Still,
    Status,
    Vitals,
}

/// `wardwatch/v1/{ward}/{box}/NAME`.
fn split(topic: &str) -> Result<(Sender, Kind), String> {
    let rest = topic.strip_prefix("wardwatch/v1/").ok_or("the topic is not one of version 1")?;
    let [ward, box_id, name] = rest.split('/').collect::<Vec<_>>()[..] else {
        return Err("the topic is not wardwatch/v1/WARD/BOX/NAME".to_owned());
    };
    let ward = ward.parse().map_err(|error| format!("the topic's ward: {error}"))?;
    let box_id = box_id.parse().map_err(|error| format!("the topic's box: {error}"))?;
    let kind = match name {
        "alert" => Kind::Alert,
        "still" => Kind::Still,
        "status" => Kind::Status,
        "vitals" => Kind::Vitals,
        _ => return Err(format!("nothing is known of messages \"{name}\"")),
    };
    Ok((Sender { ward, box_id }, kind))
}

fn content(message: &Incoming, sender: &Sender, kind: Kind) -> Result<Content, String> {
    if message.bytes > PAYLOAD_BYTES_MAX {
        return Err(format!("it has {} bytes, more than {PAYLOAD_BYTES_MAX}", message.bytes));
    }
    let mut value: Value =
        serde_json::from_slice(&message.payload).map_err(|error| format!("no JSON: {error}"))?;
    let picture = match kind {
        Kind::Still => "jpeg",
        Kind::Alert | Kind::Status | Kind::Vitals => "thumbnail",
    };
    if let Some(length) = longest_text(&value, picture).filter(|length| *length > TEXT_MAX) {
        return Err(format!("it has a text of {length} characters, more than {TEXT_MAX}"));
    }
    let (schema, content) = match kind {
        Kind::Alert => (alert::SCHEMA, Content::Alert(Box::new(read_alert(&mut value)?))),
        Kind::Still => (still::SCHEMA, Content::Still(Box::new(read_still(&value)?))),
        Kind::Status => {
            expect_schema(&value, status::SCHEMA)?;
            (status::SCHEMA, Content::Status(Box::new(read_as(&value)?)))
        }
        Kind::Vitals => {
            expect_schema(&value, vitals::SCHEMA)?;
            (vitals::SCHEMA, Content::Vitals(Box::new(read_as(&value)?)))
        }
    };
    expect_schema(&value, schema)?;
    for (key, expected) in [("ward", sender.ward.as_str()), ("box", sender.box_id.as_str())] {
        let said = value.get(key).and_then(Value::as_str).unwrap_or_default();
        if said != expected {
            return Err(format!("its {key} is \"{said}\", and it came as \"{expected}\""));
        }
    }
    Ok(content)
}

fn read_alert(value: &mut Value) -> Result<ArrivedAlert, String> {
    expect_schema(value, alert::SCHEMA)?;
    let alert: Alert = read_as(value)?;
    if i64::try_from(alert.seq).is_err() {
        return Err(format!("its seq {} is larger than any box counts", alert.seq));
    }
    if let Some(thumbnail) = &alert.thumbnail {
        let length = thumbnail.0.len();
        if length > THUMBNAIL_BYTES_MAX {
            return Err(format!("its picture has {length} bytes, more than {THUMBNAIL_BYTES_MAX}"));
        }
        check_size(&thumbnail.0)?;
    }
    let mut message = value.clone();
    if let Some(fields) = message.as_object_mut() {
        fields.remove("thumbnail");
    }
    Ok(ArrivedAlert { alert, message })
}

fn read_still(value: &Value) -> Result<Still, String> {
    expect_schema(value, still::SCHEMA)?;
    let still: Still = read_as(value)?;
    let bytes = still.jpeg.0.len();
    if bytes > STILLS_BYTES_MAX {
        return Err(format!("its picture has {bytes} bytes, more than {STILLS_BYTES_MAX}"));
    }
    if !still.jpeg.0.starts_with(&[0xff, 0xd8]) {
        return Err("its picture is no JPEG".to_owned());
    }
    check_size(&still.jpeg.0)?;
    Ok(still)
}

/// Checks the size that a JPEG claims.
fn check_size(jpeg: &[u8]) -> Result<(), String> {
    match claimed_size(jpeg) {
        Some((width, height)) if width.max(height) > THUMBNAIL_PIXELS_MAX => {
            Err(format!("its picture claims {width} x {height} pixels"))
        }
        _ => Ok(()),
    }
}

/// Length of the longest text, names of fields included, but for the field of the picture.
fn longest_text(value: &Value, picture: &str) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(values) => values.iter().filter_map(|value| longest_text(value, picture)).max(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| *key != picture)
            .flat_map(|(key, value)| [Some(key.chars().count()), longest_text(value, picture)])
            .flatten()
            .max(),
        _ => None,
    }
}

/// Width and height in the frame header of a JPEG (ITU T.81, B.2.2); `None` where it has none.
fn claimed_size(jpeg: &[u8]) -> Option<(u16, u16)> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let [0xff, marker, after @ ..] = rest else { return None };
        // Fill bytes before a marker, and markers without a segment.
        if *marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            rest = after;
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?]));
        let is_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            let [_, _, _, h1, h2, w1, w2, ..] = after else { return None };
            return Some((u16::from_be_bytes([*w1, *w2]), u16::from_be_bytes([*h1, *h2])));
        }
        rest = after.get(length.max(2)..)?;
    }
}

/// Checks the schema before the rest is read: another version has other fields.
fn expect_schema(value: &Value, expected: &str) -> Result<(), String> {
    match value.get("schema").and_then(Value::as_str) {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(format!("its schema is \"{found}\", and this wardpost reads {expected}")),
        None => Err(format!("it has no schema; this wardpost reads {expected}")),
    }
}

fn read_as<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("not as its schema says: {error}"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::storage::testing::{alert, message};

    fn refusal(topic: &str, payload: &[u8]) -> String {
        match Arrival::read(raw(topic, payload)).content {
            Content::Refused(refused) => refused.why,
            other => panic!("{other:?}"),
        }
    }

    fn raw(topic: &str, payload: &[u8]) -> Incoming {
        Incoming {
            topic: topic.to_owned(),
            payload: payload.to_vec(),
            bytes: payload.len(),
            is_retained: false,
            at: WallTime::from_micros(7),
        }
    }

    /// The beginning of a JPEG with a comment and the frame header of this size.
    fn claiming(width: u16, height: u16) -> Vec<u8> {
        let frame = [[0x00, 0x0b, 0x08].as_slice(), &height.to_be_bytes(), &width.to_be_bytes()].concat();
        [[0xff, 0xd8, 0xff, 0xfe, 0, 4, 7, 7, 0xff, 0xff, 0xc2].as_slice(), &frame, &[1; 4]].concat()
    }

    #[test]
    fn a_thumbnail_as_boxes_make_them_is_taken() {
        assert_eq!(claimed_size(&claiming(640, 360)), Some((640, 360)));
        assert_eq!(claimed_size(b"\xff\xd8\xff"), None);
        let mut value = serde_json::to_value(alert("box-1", 5)).unwrap();
        value["thumbnail"] = STANDARD.encode(claiming(640, 360)).into();
        value["camera"]["name"] = "Ợ".repeat(TEXT_MAX).into();
        let arrival = Arrival::read(raw(TOPIC, value.to_string().as_bytes()));
        assert!(matches!(arrival.content, Content::Alert(_)), "{arrival:?}");
    }

    const TOPIC: &str = "wardwatch/v1/ben-nghe/box-1/alert";

    #[test]
    fn an_alert_keeps_what_this_version_does_not_know() {
        let mut value = serde_json::to_value(alert("box-1", 5)).unwrap();
        value["from_the_future"] = 1.into();
        let arrival = Arrival::read(raw(TOPIC, value.to_string().as_bytes()));
        let Content::Alert(arrived) = arrival.content else { panic!("{arrival:?}") };
        assert_eq!(arrived.alert, serde_json::from_value(value).unwrap());
        assert_eq!(arrived.message["from_the_future"], 1);
        assert_eq!(arrived.message.get("thumbnail"), None);
        assert_eq!(arrival.sender.unwrap().to_string(), "ben-nghe/box-1");
    }

    #[test]
    fn what_does_not_make_sense_says_why() {
        let good = serde_json::to_value(alert("box-1", 5)).unwrap();
        let with = |key: &str, value: Value| {
            let mut changed = good.clone();
            changed[key] = value;
            changed.to_string().into_bytes()
        };
        for (topic, payload, why) in [
            ("wardwatch/v2/a/b/alert", Vec::new(), "version 1"),
            ("wardwatch/v1/a/b", Vec::new(), "WARD/BOX/NAME"),
            ("wardwatch/v1/a/b/c/alert", Vec::new(), "WARD/BOX/NAME"),
            ("wardwatch/v1/A/b/alert", Vec::new(), "\"A\" is not a valid id"),
            ("wardwatch/v1/a/b/ack", Vec::new(), "\"ack\""),
            (TOPIC, b"{".to_vec(), "no JSON"),
            (TOPIC, vec![0xff; 40], "no JSON"),
            (TOPIC, b"[]".to_vec(), "no schema"),
            (TOPIC, with("schema", "wardwatch.alert/2".into()), "wardwatch.alert/2"),
            (TOPIC, with("box", "box-2".into()), "its box is \"box-2\""),
            (TOPIC, with("ward", "elsewhere".into()), "its ward is \"elsewhere\""),
            (TOPIC, with("seq", "five".into()), "not as its schema says"),
            (TOPIC, with("seq", u64::MAX.into()), "larger than any box counts"),
            (TOPIC, with("thumbnail", "%".into()), "not as its schema says"),
            (TOPIC, with("thumbnail", STANDARD.encode(claiming(60_000, 9)).into()), "claims 60000 x 9"),
            (TOPIC, with("thumbnail", STANDARD.encode(claiming(8, 5000)).into()), "claims 8 x 5000"),
            (
                TOPIC,
                with("thumbnail", STANDARD.encode(vec![7; THUMBNAIL_BYTES_MAX + 1]).into()),
                "262145 bytes",
            ),
            (TOPIC, with("why", "a".repeat(TEXT_MAX + 1).into()), "a text of 4097"),
            (TOPIC, with("from_the_future", vec!["a".repeat(70_000)].into()), "a text of 70000"),
            (TOPIC, vec![b' '; PAYLOAD_BYTES_MAX + 1], "more than"),
            ("wardwatch/v1/ben-nghe/box-1/status", good.to_string().into_bytes(), "wardwatch.status/1"),
            ("wardwatch/v1/ben-nghe/box-1/vitals", good.to_string().into_bytes(), "wardwatch.vitals/1"),
        ] {
            let said = refusal(topic, &payload);
            assert!(
                said.contains(why),
                "{topic} {}: {said}",
                String::from_utf8_lossy(&payload[..payload.len().min(80)])
            );
        }
    }

    #[test]
    fn a_still_is_a_bounded_jpeg() {
        let still = |jpeg: Vec<u8>| {
            serde_json::json!({
                "schema": still::SCHEMA, "ward": "ben-nghe", "box": "box-1", "alert": alert("box-1", 1).id,
                "kind": "crop", "taken_at": "2026-05-01T22:14:03.120Z", "jpeg": STANDARD.encode(jpeg),
            })
            .to_string()
            .into_bytes()
        };
        let topic = "wardwatch/v1/ben-nghe/box-1/still";
        let whole = [claiming(1280, 720), vec![7; 50_000]].concat();
        let arrival = Arrival::read(raw(topic, &still(whole)));
        assert!(matches!(arrival.content, Content::Still(_)), "{arrival:?}");
        for (jpeg, why) in [
            ([0xff, 0xd8, 0].repeat(30_000), "has 90000 bytes"),
            (b"<svg/>".to_vec(), "no JPEG"),
            (claiming(9000, 9), "claims 9000 x 9"),
        ] {
            let said = refusal(topic, &still(jpeg));
            assert!(said.contains(why), "{said}");
        }
        let said = refusal(TOPIC, &still(claiming(64, 64)));
        assert!(said.contains("wardwatch.still/1"), "{said}");
    }

    proptest! {
        /// Any message is read without a panic, and the stored part of it is bounded.
        #[test]
        fn nothing_that_comes_can_crash_it(
            topic in "(wardwatch/v1/[a-z/]{0,20}(alert|still|status|vitals))|.{0,40}",
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            flip in proptest::option::of((0usize..2000, any::<u8>())),
        ) {
            let mut payload = payload;
            if let Some((at, byte)) = flip {
                payload = message(&alert("box-1", 1)).payload;
                let at = at % payload.len();
                payload[at] = byte;
            }
            let arrival = Arrival::read(raw(&topic, &payload));
            if let Content::Refused(refused) = arrival.content {
                prop_assert!(!refused.why.is_empty() && refused.payload.len() <= REFUSED_BYTES_MAX);
            }
        }
    }
}
