//! The still message, schema `wardwatch.still/1`: a further picture of an alert, written on the box, read at the ward post.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{AlertId, BoxId, CameraId, WardId};
use super::time::WallTime;

/// The value of `schema` in every still message of this version.
pub const SCHEMA: &str = "wardwatch.still/1";

/// The largest picture of one still in bytes, before base64: no still message is larger than an alert message can be.
pub const STILL_BYTES_MAX: usize = 24 * 1024;

/// The largest sum of the pictures of one alert in bytes, before base64.
pub const STILLS_BYTES_MAX: usize = 60 * 1024;

/// Kind of a still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StillKind {
    /// The whole picture some seconds before the event.
    Before,
    /// The whole picture some seconds after the event.
    After,
    /// The subject at the time of the event, in the pixels of the recorded stream.
    Crop,
}

impl StillKind {
    /// All kinds, in the order of the time that they show.
    pub const ALL: [Self; 3] = [Self::Before, Self::Crop, Self::After];

    /// The word for it in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Crop => "crop",
        }
    }
}

/// A word that names no kind of still.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of still")]
pub struct UnknownStillKind(String);

impl std::str::FromStr for StillKind {
    type Err = UnknownStillKind;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownStillKind(text.to_owned()))
    }
}

/// A JPEG of at most [`STILL_BYTES_MAX`] bytes; base64 in the message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("contentEncoding" = "base64", "contentMediaType" = "image/jpeg"))]
pub struct Jpeg(pub Vec<u8>);

impl TryFrom<String> for Jpeg {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Jpeg> for String {
    fn from(jpeg: Jpeg) -> String {
        STANDARD.encode(jpeg.0)
    }
}

/// Its size only.
impl std::fmt::Debug for Jpeg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jpeg({} bytes)", self.0.len())
    }
}

/// The message on topic `wardwatch/v1/{ward}/{box}/still`: one further picture of an alert, out of the recorded stream.
///
/// Delivered at least once, after the alert, and only while no alert waits. `alert` and `kind` together name it. An alert has
/// up to three; where a picture could not be had, none comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Still {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// The alert's id.
    pub alert: AlertId,
    /// The camera.
    pub camera: CameraId,
    /// Kind of this picture.
    pub kind: StillKind,
    /// Time of the picture, by the same clock as the alert's times.
    pub taken_at: WallTime,
    /// The picture. Privacy masks and hidden bystanders are covered as in the alert's thumbnail.
    pub jpeg: Jpeg,
}

/// A still before it is addressed: everything but ward and box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillDraft {
    /// The alert's id.
    pub alert: AlertId,
    /// The camera.
    pub camera: CameraId,
    /// Kind of this picture.
    pub kind: StillKind,
    /// Time of the picture.
    pub taken_at: WallTime,
    /// The picture.
    pub jpeg: Jpeg,
}

impl StillDraft {
    /// The message of this box.
    pub fn into_still(self, ward: WardId, box_id: BoxId) -> Still {
        let Self { alert, camera, kind, taken_at, jpeg } = self;
        Still { schema: SCHEMA.to_owned(), ward, box_id, alert, camera, kind, taken_at, jpeg }
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
        let draft = StillDraft {
            alert: AlertId::new(1_777_673_643_120),
            camera: "gate".parse().unwrap(),
            kind: StillKind::Before,
            taken_at: WallTime::from_micros(1_777_673_641_120_000),
            jpeg: Jpeg(vec![0xff, 0xd8, 0xff]),
        };
        let still = draft.into_still("ben-nghe".parse().unwrap(), "box-1".parse().unwrap());
        let mut value = serde_json::to_value(&still).unwrap();
        assert_eq!((&value["kind"], &value["jpeg"]), (&"before".into(), &"/9j/".into()));
        assert_eq!(value["taken_at"], "2026-05-01T22:14:01.120Z");
        value["from_the_future"] = 1.into();
        assert_eq!(serde_json::from_value::<Still>(value).unwrap(), still);
    }

    #[test]
    fn kinds_have_the_words_of_the_message() {
        for kind in StillKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("Before".parse::<StillKind>().is_err());
    }

    #[test]
    fn the_checked_in_schema_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/still.schema.json");
        if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(path, json_schema()).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap();
        assert!(json_schema() == checked_in, "deploy/still.schema.json is out of date: run `make schemas`");
    }
}
