//! One incident of one rule on one camera: the subjects already reported, and the earliest time of the next alert.
//!
//! The first subject is reported at once. Later ones are reported in further alerts, each of which names the first alert;
//! the wait before each doubles. Each subject is reported exactly once. Called by `engine`. No I/O, no clock.

use std::collections::VecDeque;
use std::time::Duration;

use super::thresholds::incident::*;
use super::track_state::Sighting;
use base::geometry::Rect;
use base::ids::{AlertId, Epoch, TrackId};
use base::time::{Monotonic, Stamp};
use base::track::Track;

/// State since the first alert.
#[derive(Debug)]
pub(super) struct Incident {
    /// Id of the first alert.
    pub(super) first: AlertId,
    members: VecDeque<Member>,
    /// Number of subjects that took part so far.
    pub(super) count: u32,
    alerts: u32,
    told_at: Monotonic,
    /// Latest time at which the condition held for a subject.
    pub(super) found_at: Monotonic,
}

#[derive(Debug)]
struct Member {
    key: (Epoch, TrackId),
    sight: Sighting,
    has_left: bool,
    /// A new track has taken over from this member, and its own track was not seen since.
    is_succeeded: bool,
}

impl Incident {
    /// Begins with the alert that is sent at `at`.
    pub(super) fn new(first: AlertId, at: Stamp) -> Self {
        let at = at.monotonic;
        Self { first, members: VecDeque::new(), count: 0, alerts: 1, told_at: at, found_at: at }
    }

    /// Updates the positions of the members.
    pub(super) fn follow(&mut self, epoch: Epoch, tracks: &[Track], at: Monotonic) {
        for track in tracks.iter().filter(|track| track.last_seen == at) {
            if let Some(member) = self.members.iter_mut().find(|member| member.key == (epoch, track.id)) {
                (member.sight, member.has_left) = (Sighting::last(track), is_at_edge(&track.rect));
                member.is_succeeded = false;
            }
        }
    }

    /// Adds a subject. Returns true if it is new to the incident; a member under a new id is not.
    pub(super) fn admits(&mut self, epoch: Epoch, track: &Track) -> bool {
        let key = (epoch, track.id);
        if self.members.iter().any(|member| member.key == key) {
            return false;
        }
        let first = Sighting::first(track);
        let away = |member: &Member| member.sight.lengths_from(&first);
        let before = self
            .members
            .iter_mut()
            .filter(|member: &&mut Member| member.is_succeeded_by(&first, epoch))
            .min_by(|a, b| away(a).total_cmp(&away(b)));
        let is_new = before.is_none();
        if let Some(before) = before {
            before.is_succeeded = true;
        }
        self.count += u32::from(is_new);
        if self.members.len() >= MEMBERS_MAX {
            self.members.pop_front();
        }
        let (sight, has_left) = (Sighting::last(track), is_at_edge(&track.rect));
        self.members.push_back(Member { key, sight, has_left, is_succeeded: false });
        is_new
    }

    /// Earliest time of the next alert.
    pub(super) fn next_alert_at(&self, cool_down: Duration) -> Monotonic {
        let doublings = self.alerts.saturating_sub(1).min(16);
        self.told_at + (WAIT_FIRST * 2u32.pow(doublings)).min(cool_down.max(WAIT_FIRST))
    }

    /// Records a further alert at `at`.
    pub(super) fn told(&mut self, at: Monotonic) {
        (self.alerts, self.told_at) = (self.alerts.saturating_add(1), at);
    }

    /// Returns true if there was no finding for a cool-down.
    pub(super) fn is_over(&self, at: Monotonic, cool_down: Duration) -> bool {
        at.since(self.found_at) >= cool_down
    }
}

impl Member {
    /// Compares its last sight with the new track's first one. Neither track ids nor times can be compared between
    /// two sessions of a stream.
    fn is_succeeded_by(&self, newcomer: &Sighting, epoch: Epoch) -> bool {
        let growth = newcomer.length / self.sight.length;
        !self.is_succeeded
            && !self.has_left
            && self.key.0 == epoch
            && self.sight.at < newcomer.at
            && newcomer.seconds_after(&self.sight) <= HEIR_SECONDS_MAX
            && self.sight.is_like(newcomer)
            && self.sight.lengths_from(newcomer) <= HEIR_LENGTHS_MAX
            && (1.0 / HEIR_GROWTH_MAX..=HEIR_GROWTH_MAX).contains(&growth)
    }
}

fn is_at_edge(rect: &Rect) -> bool {
    rect.x <= EDGE || rect.y <= EDGE || rect.right() >= 1.0 - EDGE || rect.bottom() >= 1.0 - EDGE
}
