//! `camera_sabotage`: a camera is covered or sprayed, blacked out, defocused, moved, or frozen.
//!
//! Night, weather and traffic look different: with sabotage the edges of the place itself, its houses and kerbs, are
//! gone from their positions, all at once, and stay away. Dusk takes minutes; the switch to infra-red and rain leave
//! them in their place; a lorry that stops in front leaves some of them.


use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Ending, Finding, Needs, Notes, RuleInput, distances};
use super::thresholds::camera_sabotage::*;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::view_quality::ViewQuality;

/// Numbers of a `camera_sabotage` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum duration in seconds. A lorry passes in less.
    #[schemars(range(min = 1, max = 600))]
    pub seconds_min: f32,
    /// Minimum time for which a frozen picture has been exactly the same, in seconds. Some cameras send a quiet night's
    /// picture unchanged for a while.
    #[schemars(range(min = 5, max = 3600))]
    pub frozen_seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 8.0, frozen_seconds_min: 30.0 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs::CAMERA
    }
}

/// Times at which all was well and at which a fault began.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    /// Latest time at which all was well, and the picture's contrast then.
    well: Option<(Monotonic, f32)>,
    wrong: Option<Wrong>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    since: Monotonic,
    samples: u32,
    is_sudden: bool,
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, well: None, wrong: None }
    }

    /// Takes a sample. Returns the fault, if there is one.
    fn judge(&mut self, at: Monotonic, view_quality: &ViewQuality) -> Option<Wrong> {
        if view_quality.learnt_seconds < LEARNT_SECONDS_MIN {
            (self.well, self.wrong) = (None, None);
            return None;
        }
        if view_quality.in_place >= IN_PLACE_WELL {
            self.well = Some((at, view_quality.luma_deviation));
        }
        let (in_place, blunt) = match self.wrong {
            Some(_) => (IN_PLACE_STILL_WRONG, BLUNT_STILL_WRONG),
            None => (IN_PLACE_WRONG, BLUNT_WRONG),
        };
        let is_blurred = view_quality.sharpness < blunt.0 && view_quality.in_place < blunt.1;
        if view_quality.in_place >= in_place && !is_blurred {
            self.wrong = None;
            return None;
        }
        let is_sudden =
            self.well.is_some_and(|(well, _)| distances::seconds(at.since(well)) <= SUDDEN_SECONDS);
        let wrong = self.wrong.get_or_insert(Wrong { since: at, samples: 0, is_sudden });
        wrong.samples = wrong.samples.saturating_add(1);
        Some(*wrong)
    }

    /// Describes the fault for a person, and as a code.
    fn what(&self, view_quality: &ViewQuality) -> (&'static str, Code) {
        let ViewQuality { luma_mean, luma_deviation, sharpness, .. } = *view_quality;
        let learnt_deviation = self.well.map_or(luma_deviation, |(_, deviation)| deviation);
        if luma_mean <= BLACK_MEAN && luma_deviation <= BLACK_DEVIATION {
            ("is blacked out", Code::CameraBlackedOut)
        } else if sharpness >= SHARPNESS_MOVED {
            ("has been moved", Code::CameraMoved)
        } else if luma_deviation >= CONTRAST_DEFOCUSED * learnt_deviation {
            ("is out of focus", Code::CameraDefocused)
        } else {
            ("is covered or sprayed", Code::CameraCovered)
        }
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        let Some(view_quality) = view.view_quality else { return Vec::new() };
        let Params { seconds_min, frozen_seconds_min } = self.params;
        let wrong = self.judge(view.at, view_quality);
        if distances::is_enough(view_quality.same_seconds, frozen_seconds_min) {
            let seconds = view_quality.same_seconds;
            let why = format!(
                "the picture is frozen: the same for {seconds:.0} s ({frozen_seconds_min:.0} s needed)"
            );
            let reason = Reason::new(Code::PictureFrozen).for_seconds(seconds, frozen_seconds_min);
            return vec![Finding { why, reason, ..Finding::default() }];
        }
        let Some(Wrong { since, samples, is_sudden }) = wrong else { return Vec::new() };
        let seconds = distances::seconds(view.at.since(since));
        let (what, code) = self.what(view_quality);
        let numbers = || {
            format!(
                "the camera {what} for {seconds:.0} s ({seconds_min:.0} s needed): {:.0} % of what stands still is in its \
                 place, sharpness {:.0} %, brightness {:.0} of 255",
                view_quality.in_place * 100.0,
                view_quality.sharpness * 100.0,
                view_quality.luma_mean
            )
        };
        if is_sudden && distances::is_enough(seconds, seconds_min) && samples >= SAMPLES_MIN {
            let reason = Reason::new(code).for_seconds(seconds, seconds_min);
            let reason = reason.with("in_place_percent", view_quality.in_place * 100.0);
            return vec![Finding { why: numbers(), reason, ..Finding::default() }];
        }
        let lacks = if is_sudden { "" } else { ", but that came slowly" };
        notes.say_of_all(|| format!("{}{lacks}", numbers()));
        Vec::new()
    }

    /// Begins anew: a new session is another picture of the same place, and a fault has to last anew.
    fn forget(&mut self) {
        self.wrong = None;
    }

    fn ending(&self) -> Ending {
        Ending::AfterQuiet(QUIET)
    }
}
