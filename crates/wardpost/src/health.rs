//! Troubles of the boxes, by their statuses and vitals. Pure; the receiver calls [`Fleet`], and `wardpost status` calls
//! [`troubles_of`]. Never here: text for people.

mod fleet;
mod judge;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::presence::Reported;
use super::storage::BoxState;
use base::ids::CameraId;
use base::time::WallTime;

pub use fleet::Fleet;
pub use judge::{Change, Judge};

/// Time for which two boxes under one name count as a trouble after the last report, which is repeated each ten minutes.
const TWINS_FOR: Duration = Duration::from_secs(3600);

/// A trouble of one box, with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Trouble {
    /// The box has said that it goes, or its connection broke.
    Offline,
    /// Nothing comes from it.
    Silent,
    /// Two boxes use its name.
    Twins,
    /// Alerts of it are missing.
    Missing {
        /// Number of missing alerts.
        count: u64,
    },
    /// A camera gives no picture.
    CameraAway {
        /// The camera.
        camera: CameraId,
    },
    /// The disk takes less than it should.
    DiskFailing,
    /// Nothing on the disk may make way for new footage.
    DiskFull,
    /// The disk has less left than is to stay free.
    DiskNearlyFull {
        /// Bytes that it has left.
        free_bytes: u64,
        /// Bytes that are to stay free.
        free_bytes_min: u64,
    },
    /// Footage goes back fewer days than it is to.
    FootageShort {
        /// Days that it goes back.
        days: f64,
        /// Days that it is to go back.
        days_min: f64,
    },
    /// The clock is not set.
    ClockUnset,
    /// The analysis is behind: inferences are left out.
    Shortfall {
        /// Percentage of the inferences that are left out.
        percent: f64,
    },
    /// Alerts wait for long to be delivered.
    OutboxGrowing {
        /// Number of waiting alerts.
        depth: u64,
        /// Seconds for which the oldest has waited.
        seconds: u64,
    },
    /// The box's certificate ends soon, or has ended.
    CertificateEnding {
        /// Its end.
        ends_at: WallTime,
    },
    /// The box is so warm that it analyses less.
    Hot {
        /// Temperature in degrees Celsius, where it is known.
        celsius: Option<f32>,
    },
    /// Parts of its configuration are not in force.
    ConfigurationFaults {
        /// Number of these parts.
        count: u64,
        /// The first one, as the box words it.
        first: String,
    },
    /// It sends more than the post takes of one name.
    TooMuch {
        /// The limit.
        limit: Limit,
        /// Number of refused messages.
        refused: u64,
    },
    /// Another box has a newer version.
    OldVersion {
        /// Version of this box.
        version: String,
        /// Newest version of all boxes.
        newest: String,
    },
}

/// A limit of the share of the post that one name may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Wards.
    Wards,
    /// Bytes in a day.
    Bytes,
    /// Alerts in a minute.
    Alerts,
    /// Statuses and vitals in a minute.
    Reports,
}

/// A trouble that a box has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Time at which it was found, on the post's clock; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<WallTime>,
    /// The trouble.
    #[serde(flatten)]
    pub trouble: Trouble,
}

impl Trouble {
    /// True where both are the same trouble, if with other numbers.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::CameraAway { camera }, Self::CameraAway { camera: other }) => camera == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// All troubles of a box: those that the receiver has found, and those that its row tells. `newest` is the newest version
/// of all boxes.
pub fn troubles_of(known: &BoxState, newest: Option<&str>, now: WallTime) -> Vec<Standing> {
    let mut troubles = Vec::new();
    let mut add = |since: Option<WallTime>, trouble: Trouble| troubles.push(Standing { since, trouble });
    match known.reported {
        Reported::Here => {}
        Reported::Offline => add(known.reported_at, Trouble::Offline),
        Reported::Silent => add(known.reported_at, Trouble::Silent),
    }
    if let Some(at) = known.twins_at.filter(|at| now.since(*at) < TWINS_FOR) {
        add(Some(at), Trouble::Twins);
    }
    if known.numbers.missing > 0 {
        add(None, Trouble::Missing { count: known.numbers.missing });
    }
    let version = known.status.as_ref().map(|status| status.version.as_str());
    if let (Some(version), Some(newest)) = (version, newest)
        && compared(version, newest) == Ordering::Less
    {
        add(None, Trouble::OldVersion { version: version.to_owned(), newest: newest.to_owned() });
    }
    troubles.extend(known.health.iter().cloned());
    troubles
}

/// The newest version of all boxes.
pub fn newest_version(boxes: &[BoxState]) -> Option<&str> {
    let versions = boxes.iter().filter_map(|known| known.status.as_ref());
    versions.map(|status| status.version.as_str()).max_by(|one, other| compared(one, other))
}

/// Order of two versions by their numbers. Text behind the numbers does not count.
fn compared(one: &str, other: &str) -> Ordering {
    let numbers = |version: &str| {
        let parts = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().unwrap_or(0));
        parts.take(3).collect::<Vec<_>>()
    };
    numbers(one).cmp(&numbers(other))
}
