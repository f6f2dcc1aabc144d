//! The alarm "the store is full of evidence": raised by a plan that cannot reach a limit, ended later than it could be.

use std::time::Duration;

use crate::error::StoreError;
use crate::logged_once::Fault;
use base::time::Monotonic;

/// Time without a full limit after which the alarm ends; a changed hold ends it at once.
const QUIET: Duration = Duration::from_secs(120);

/// Alarm with its time of quiet.
pub(super) struct EvidenceAlarm {
    fault: Fault,
    /// Last time that evidence filled a limit, by the clock of the sweeps.
    raised_at: Monotonic,
    /// True if holds have changed since.
    holds_changed: bool,
}

impl EvidenceAlarm {
    pub fn new() -> Self {
        Self {
            fault: Fault::new("the store is full of evidence"),
            raised_at: Monotonic::default(),
            holds_changed: false,
        }
    }

    /// Takes the result of a plan at `now`: `full` where evidence keeps a limit from being reached. A plan for a fragment
    /// ends the alarm if holds have changed.
    pub fn planned(
        &mut self,
        full: Option<&StoreError>,
        held_bytes: u64,
        for_fragment: bool,
        now: Monotonic,
    ) {
        match full {
            Some(error) => {
                self.raised_at = now;
                self.holds_changed = false;
                self.fault.note(Some(error));
            }
            None if held_bytes == 0 || self.holds_changed && for_fragment => self.fault.note(None),
            None => {}
        }
    }

    /// Ends the alarm if it was not raised for a while.
    pub fn swept(&mut self, now: Monotonic) {
        if now.since(self.raised_at) > QUIET {
            self.fault.note(None);
        }
    }

    /// Notes that a hold was made or released.
    pub fn holds_changed(&mut self) {
        self.holds_changed = true;
    }

    /// Reason of the alarm, for a person.
    pub fn reason(&self) -> Option<String> {
        self.fault.reason.clone()
    }
}
