//! Zones and tripwires: the places on a camera's picture to which rules apply.

use serde::{Deserialize, Serialize};

use super::geometry::{Point, Polygon};
use super::ids::ZoneId;

/// A polygon on one camera's picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Its id within the camera.
    pub id: ZoneId,
    /// Its name for people.
    pub name: String,
    /// Its outline.
    pub polygon: Polygon,
}

/// A directed line on one camera's picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tripwire {
    /// Its id within the camera.
    pub id: ZoneId,
    /// Its name for people.
    pub name: String,
    /// Start of the line.
    pub from: Point,
    /// End of the line. Left and right are as seen looking from `from` to `to`.
    pub to: Point,
}
