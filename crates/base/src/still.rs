//! The still message, schema `wardwatch.still/1`: a further picture of an alert, sent after it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alert::{THUMBNAIL_BYTES_MAX, Thumbnail};
use super::ids::{AlertId, BoxId, WardId};
use super::time::WallTime;

/// The value of `schema` in every still message of this version.
pub const SCHEMA: &str = "wardwatch.still/1";

/// The most bytes that one still has, before base64: no still message is larger than an alert message can be.
pub const STILL_BYTES_MAX: usize = THUMBNAIL_BYTES_MAX;

/// The most bytes that all stills of one alert have together, before base64.
pub const STILLS_BYTES_MAX: usize = 60 * 1024;

/// Kind of a still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StillKind {
    /// The picture before the event.
    Before,
    /// The picture after it began.
    After,
    /// The subject, cut out of the recorded stream.
    Crop,
}

impl StillKind {
    /// All kinds, in the order of their times.
    pub const ALL: [Self; 3] = [Self::Before, Self::Crop, Self::After];

    /// The word for it in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Crop => "crop",
        }
    }

    /// The kind with this word; `None` for an unknown one.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A further picture of an alert, on topic `wardwatch/v1/{ward}/{box}/still`.
///
/// Delivered at least once, in any order with its alert and without a `seq`. `alert` and `kind` together name the picture: a
/// receiver keeps the first of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Still {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// Id of the alert.
    pub alert: AlertId,
    /// Kind of the picture.
    pub kind: StillKind,
    /// Time of the frame.
    pub taken_at: WallTime,
    /// The picture; all stills of one alert have at most [`STILLS_BYTES_MAX`] bytes.
    pub jpeg: Thumbnail,
}

/// A still before it is addressed: everything but ward and box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillDraft {
    /// Id of the alert.
    pub alert: AlertId,
    /// Kind of the picture.
    pub kind: StillKind,
    /// Time of the frame.
    pub taken_at: WallTime,
    /// The picture.
    pub jpeg: Thumbnail,
}

impl StillDraft {
    /// The message of this box.
    pub fn into_still(self, ward: WardId, box_id: BoxId) -> Still {
        let Self { alert, kind, taken_at, jpeg } = self;
        Still { schema: SCHEMA.to_owned(), ward, box_id, alert, kind, taken_at, jpeg }
    }
}

/// The JSON Schema of [`Still`], pretty-printed; `deploy/still.schema.json` is this text.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Still);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_and_ignores_unknown_fields() {
        let still = Still {
            schema: SCHEMA.to_owned(),
            ward: "ben-nghe".parse().unwrap(),
            box_id: "box-1".parse().unwrap(),
            alert: AlertId::new(1_777_673_643_120),
            kind: StillKind::Crop,
            taken_at: WallTime::from_micros(1_777_673_643_120_000),
            jpeg: Thumbnail(vec![0xff, 0xd8, 0xff]),
        };
        let mut value = serde_json::to_value(&still).unwrap();
        assert_eq!((&value["kind"], &value["jpeg"]), (&"crop".into(), &"/9j/".into()));
        value["from_the_future"] = 1.into();
        assert_eq!(serde_json::from_value::<Still>(value).unwrap(), still);
        for kind in StillKind::ALL {
            assert_eq!(StillKind::of(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn the_checked_in_schema_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/still.schema.json");
        if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(path, json_schema()).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(json_schema() == checked_in, "deploy/still.schema.json is out of date: run `make schemas`");
    }
}
