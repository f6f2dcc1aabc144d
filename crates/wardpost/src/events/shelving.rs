//! Shelves: a camera or a rule whose alerts are kept out of the queue for a time.

use std::time::Duration;

use super::flood::Source;
use super::people::Authority;
use crate::arrival::Sender;
use base::ids::{CameraId, RuleId};
use base::time::WallTime;

/// Longest shelf of an officer.
const OFFICER_MAX: Duration = Duration::from_secs(8 * 3600);
/// Longest shelf of a commander.
const COMMANDER_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Longest shelf that an authority may set.
pub const fn shelf_max(authority: Authority) -> Duration {
    match authority {
        Authority::Officer => OFFICER_MAX,
        Authority::Commander => COMMANDER_MAX,
    }
}

/// Part of a box that is shelved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfScope {
    /// The box.
    pub sender: Sender,
    /// The camera, or rule, or the rule at one camera.
    pub covered: Covered,
}

/// Cameras and rules that a shelf covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covered {
    /// One camera with all rules.
    Camera(CameraId),
    /// One rule at all cameras of the box.
    Rule(RuleId),
    /// One rule at one camera.
    RuleAtCamera(CameraId, RuleId),
}

impl Covered {
    /// Coverage of a camera and a rule as they are stored; `None` where neither is given.
    pub fn of(camera: Option<CameraId>, rule: Option<RuleId>) -> Option<Self> {
        match (camera, rule) {
            (Some(camera), None) => Some(Self::Camera(camera)),
            (None, Some(rule)) => Some(Self::Rule(rule)),
            (Some(camera), Some(rule)) => Some(Self::RuleAtCamera(camera, rule)),
            (None, None) => None,
        }
    }

    /// The camera, where it covers one only.
    pub const fn camera(&self) -> Option<&CameraId> {
        match self {
            Self::Camera(camera) | Self::RuleAtCamera(camera, _) => Some(camera),
            Self::Rule(_) => None,
        }
    }

    /// The rule, where it covers one only.
    pub const fn rule(&self) -> Option<&RuleId> {
        match self {
            Self::Rule(rule) | Self::RuleAtCamera(_, rule) => Some(rule),
            Self::Camera(_) => None,
        }
    }
}

impl ShelfScope {
    /// True where the shelf covers events of this source.
    pub fn covers(&self, source: &Source) -> bool {
        self.sender == source.sender
            && self.covered.camera().is_none_or(|camera| *camera == source.camera)
            && self.covered.rule().is_none_or(|rule| *rule == source.rule)
    }
}

/// Reason for which a shelf is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShelfRefusal {
    /// Its end has passed.
    EndHasPassed,
    /// Its end is further away than this author may set.
    TooLong {
        /// The longest.
        max: Duration,
    },
    /// No reason is given.
    NoReason,
    /// The same is shelved already.
    Already {
        /// The number of that shelf.
        shelf: u64,
    },
}

/// Checks the end of a shelf.
///
/// # Errors
/// It has passed, or is too far away.
pub(crate) fn check_end(authority: Authority, now: WallTime, until: WallTime) -> Result<(), ShelfRefusal> {
    let max = shelf_max(authority);
    if until <= now {
        return Err(ShelfRefusal::EndHasPassed);
    }
    if until > now + max {
        return Err(ShelfRefusal::TooLong { max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::sender;

    #[test]
    fn an_end_is_mandatory_and_bounded_by_authority() {
        let now = WallTime::from_micros(1_777_673_643_000_000);
        let check =
            |authority, hours: u64| check_end(authority, now, now + Duration::from_secs(hours * 3600));
        assert_eq!(check(Authority::Officer, 0), Err(ShelfRefusal::EndHasPassed));
        assert_eq!(check(Authority::Officer, 8), Ok(()));
        assert_eq!(check(Authority::Officer, 9), Err(ShelfRefusal::TooLong { max: OFFICER_MAX }));
        assert_eq!(check(Authority::Commander, 7 * 24), Ok(()));
        assert_eq!(
            check(Authority::Commander, 7 * 24 + 1),
            Err(ShelfRefusal::TooLong { max: COMMANDER_MAX })
        );
    }

    #[test]
    fn a_shelf_covers_a_camera_a_rule_or_both() {
        let (gate, night) = ("gate".parse::<CameraId>().unwrap(), "night".parse::<RuleId>().unwrap());
        let source = |camera: &str, rule: &str| Source {
            sender: sender("box-1"),
            camera: camera.parse().unwrap(),
            rule: rule.parse().unwrap(),
        };
        for (covered, expected) in [
            (Covered::Camera(gate.clone()), [true, true, false]),
            (Covered::Rule(night.clone()), [true, false, true]),
            (Covered::RuleAtCamera(gate, night), [true, false, false]),
        ] {
            let scope = ShelfScope { sender: sender("box-1"), covered: covered.clone() };
            let of = [source("gate", "night"), source("gate", "day"), source("yard", "night")];
            assert_eq!(of.map(|source| scope.covers(&source)), expected, "{covered:?}");
            assert_eq!(Covered::of(covered.camera().cloned(), covered.rule().cloned()), Some(covered));
            assert!(!scope.covers(&Source { sender: sender("box-2"), ..source("gate", "night") }));
        }
        assert_eq!(Covered::of(None, None), None);
    }
}
