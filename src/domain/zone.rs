//! Where on a camera's picture a rule applies.

use serde::{Deserialize, Serialize};

use super::geometry::{Point, Polygon};
use super::ids::ZoneId;

/// A polygon on one camera's picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Its id within the camera.
    pub id: ZoneId,
    /// What people call it.
    pub name: String,
    /// Its outline.
    pub polygon: Polygon,
}

/// A directed line on one camera's picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tripwire {
    /// Its id within the camera.
    pub id: ZoneId,
    /// What people call it.
    pub name: String,
    /// Where it starts.
    pub from: Point,
    /// Where it ends. Left and right are as seen looking from `from` to `to`.
    pub to: Point,
}
