//! A detector's result for one frame.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::geometry::Rect;

/// The score from which a detection is sure, for any network.
pub const SCORE_SURE: f32 = 0.45;

/// Label of a subject. Networks' own labels are mapped to these by the model's manifest; the rest is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// A person on foot.
    Person,
    /// A bicycle, motorcycle or moped, with its rider if it has one.
    TwoWheeler,
    /// A car.
    Car,
    /// A bus, van, coach or truck.
    LargeVehicle,
    /// Something that moves; said by the built-in motion detector, which cannot tell what it is.
    Moving,
}

impl Label {
    /// Every label, in the order in which they are listed to people.
    pub const ALL: [Label; 5] =
        [Label::Person, Label::TwoWheeler, Label::Car, Label::LargeVehicle, Label::Moving];

    /// The word for it in the configuration and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::TwoWheeler => "two-wheeler",
            Self::Car => "car",
            Self::LargeVehicle => "large-vehicle",
            Self::Moving => "moving",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One bounding box in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Class of the subject.
    pub label: Label,
    /// The detector's confidence, 0..=1.
    pub score: f32,
    /// Its bounding box, as fractions of the picture.
    #[serde(rename = "box")]
    pub rect: Rect,
}
