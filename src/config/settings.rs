//! The checked settings of the box, made of every module's own settings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Problem;
use crate::infer;
use analysis::rules::RuleSettings;
use base::alert::CameraRef;
use base::geometry::Polygon;
use base::ids::{BoxId, CameraId, WardId};
use base::language::Language;
use base::zone::{Tripwire, Zone};

/// All settings of the box.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The ward.
    pub ward: WardId,
    /// This box.
    pub box_id: BoxId,
    /// Time zone of the schedules, and of the times on thumbnails.
    pub timezone: TimeZone,
    /// Language of thumbnails, and of default rules' names.
    pub language: Language,
    /// The ward's holidays, for schedules.
    pub holidays: BTreeSet<Date>,
    /// Settings of the store for footage and alerts.
    pub store: clipstore::Settings,
    /// The ward post's broker.
    pub broker: wardlink::Settings,
    /// Settings of the detection.
    pub detect: infer::Settings,
    /// The cameras, by id.
    pub cameras: Vec<Camera>,
    /// The rules, by id: one for each camera that a rule names, in the order in which it names them.
    pub rules: Vec<RuleSettings>,
    /// All zones and tripwires of each camera, also those that no rule names.
    pub places: BTreeMap<CameraId, Places>,
    /// Values that work, and that are hardly meant: zones that seem exchanged, lines that nobody crosses. In the order of files
    /// and lines.
    pub warnings: Vec<Problem>,
}

/// Places on a camera's picture to which rules can apply, by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places {
    /// Its zones.
    pub zones: Vec<Zone>,
    /// Its tripwires.
    pub tripwires: Vec<Tripwire>,
}

/// One camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// Its name and place in alerts.
    pub camera: CameraRef,
    /// One stream for all purposes, or the main stream for recording and the sub stream for detection. A stream without a use is
    /// left out.
    pub streams: Vec<camera::StreamSettings>,
    /// Duration of the footage before an alert that belongs to it.
    pub pre_roll: Duration,
    /// Duration of the footage after an alert that belongs to it.
    pub post_roll: Duration,
    /// Inferences per second that have priority over those of other cameras beyond their own minimum.
    pub looks_per_second_min: f32,
    /// Areas in which motion does not count.
    pub masks: Vec<Polygon>,
    /// Areas that no thumbnail shows.
    pub privacy_masks: Vec<Polygon>,
    /// Thumbnails show persons that the alert is not about in coarse blocks.
    pub hide_bystanders: bool,
}
