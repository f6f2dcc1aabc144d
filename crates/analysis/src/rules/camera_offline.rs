//! `camera_offline`: a camera gives no picture.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Ending, Finding, Needs, Notes, RuleInput, distances};
use base::reason::{Code, Reason};
use base::time::Monotonic;

/// Numbers of a `camera_offline` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// For how long there must have been no picture, in seconds. A camera that starts anew takes about a minute.
    #[schemars(range(min = 1, max = 86400))]
    pub seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 60.0 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs::CAMERA
    }
}

/// State of the picture's absence.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    /// Time of the last frame; before the first one, the time of the first report of absence.
    last: Option<Monotonic>,
    had_frames: bool,
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, last: None, had_frames: false }
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, _: &mut Notes) -> Vec<Finding> {
        (self.last, self.had_frames) = (Some(view.at), true);
        Vec::new()
    }

    fn absent(&mut self, at: Monotonic) -> Option<Finding> {
        let seconds = distances::seconds(at.since(*self.last.get_or_insert(at)));
        let needed = self.params.seconds_min;
        let (since, code) = match self.had_frames {
            true => ("", Code::NoPicture),
            false => (" since the box has been running", Code::NoPictureSinceStart),
        };
        distances::is_enough(seconds, needed).then(|| Finding {
            why: format!("no picture for {seconds:.0} s{since} ({needed:.0} s needed)"),
            reason: Reason::new(code).for_seconds(seconds, needed),
            ..Finding::default()
        })
    }

    /// Does nothing: a new session does not change the time of the last picture.
    fn forget(&mut self) {}

    fn ending(&self) -> Ending {
        Ending::AtNextFrame
    }
}
