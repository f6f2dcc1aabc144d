//! Identifiers. Names that a person gives are `[a-z0-9-]{1,32}`: safe in a topic, a path and a log line.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A name that is not `[a-z0-9-]{1,32}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a valid id: use 1 to 32 of a-z, 0-9 and -")]
pub struct InvalidId(pub String);

fn check(text: &str) -> Result<(), InvalidId> {
    let is_allowed =
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if (1..=32).contains(&text.len()) && is_allowed { Ok(()) } else { Err(InvalidId(text.to_owned())) }
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_id!(
    /// A ward, the first level of every topic.
    WardId
);
name_id!(
    /// A box; with mutual TLS also the name in its certificate.
    BoxId
);
name_id!(
    /// A configured camera of this box.
    CameraId
);
name_id!(
    /// A rule of the ward, unique within the box.
    RuleId
);
name_id!(
    /// A zone or a tripwire, unique within its camera.
    ZoneId
);

/// One alert, over both of its phases: a UUIDv7, so that ids sort by time of opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "Uuid")]
pub struct AlertId(pub Uuid);

impl AlertId {
    /// A fresh id for an alert that opens at `unix_millis` (milliseconds since 1970, UTC).
    pub fn new(unix_millis: u64) -> Self {
        let seconds = unix_millis / 1000;
        let nanos = u32::try_from(unix_millis % 1000).unwrap_or(0) * 1_000_000;
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AlertId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// One outbox: a box's count of its messages. A store that is made anew, on a new disk say, has another, so that nobody
/// takes its number 7 for the old number 7.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[schemars(with = "Uuid")]
pub struct OutboxId(pub Uuid);

impl OutboxId {
    /// A random UUID (RFC 9562, version 4), which no other outbox has.
    pub fn random() -> Self {
        Self(uuid::Builder::from_random_bytes(rand::random()).into_uuid())
    }
}

impl fmt::Display for OutboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OutboxId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// A track, unique within its camera and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct TrackId(pub u64);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the sessions of one stream since the daemon started. Times and tracks of two epochs do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_topics_and_paths() {
        for good in ["a", "cam-1", "ben-nghe", &"x".repeat(32)] {
            assert_eq!(good.parse::<CameraId>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "a b", "a/b", "..", "cầu", "a_b", &"x".repeat(33)] {
            assert_eq!(bad.parse::<CameraId>(), Err(InvalidId(bad.to_owned())));
        }
    }

    #[test]
    fn alert_ids_sort_by_time() {
        assert!(AlertId::new(1_700_000_000_000) < AlertId::new(1_700_000_000_001));
    }
}
