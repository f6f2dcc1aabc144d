//! Judgement of one box over time: a trouble counts once it has lasted, and so does its end, so that nothing is reported
//! each minute. Pure: time is an argument.

use std::time::Duration;

use super::{Limit, Standing, Trouble};
use base::ids::CameraId;
use base::status::{CameraStatus, Presence, Status, StoreState, StreamState};
use base::time::{ClockState, Monotonic, WallTime};
use base::vitals::Vitals;

/// Time for which a trouble must be over before it counts as such.
const CLEAR_AFTER: Duration = Duration::from_secs(120);
/// Remaining validity of a certificate below which it is a trouble.
const CERTIFICATE_NOTICE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Waiting time of the oldest alert above which the outbox counts as growing.
const OUTBOX_WAIT: Duration = Duration::from_secs(15 * 60);
/// Part of the needed inferences that are left out, above which the analysis is behind; a lower one once it is.
const SHORTFALL: (f64, f64) = (0.1, 0.05);
/// Part of the headroom that is left, below which the disk is nearly full; a higher one once it is.
const HEADROOM: (f64, f64) = (0.5, 0.75);
/// Part by which footage must go back further than needed to be enough again.
const FOOTAGE_ENOUGH: f64 = 1.1;
/// Part of the inference budget that a warm box leaves, below which it is too hot.
const THROTTLE_HOT: f64 = 0.95;

/// State of one box.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    /// Troubles that were reported and have not ended.
    standing: Vec<Standing>,
    suspects: Vec<Suspect>,
}

/// A change of a box's health.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    /// Troubles that the box has from now on.
    pub begun: Vec<Trouble>,
    /// Troubles that it has no more.
    pub ended: Vec<Trouble>,
}

impl Change {
    /// True where nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.ended.is_empty()
    }
}

/// A trouble that was seen, or whose end was seen, and that has not been reported yet.
#[derive(Debug, Clone)]
struct Suspect {
    trouble: Trouble,
    has_ended: bool,
    since: Monotonic,
}

impl Judge {
    /// A box with these troubles by the last report.
    pub fn new(standing: Vec<Standing>) -> Self {
        Self { standing, suspects: Vec::new() }
    }

    /// Troubles that were reported and have not ended.
    pub fn standing(&self) -> &[Standing] {
        &self.standing
    }

    /// Takes a status.
    pub fn status(&mut self, status: &Status, now: Monotonic) {
        // Its cameras and its store are left out of the last message of a box.
        if status.presence == Presence::Offline {
            return;
        }
        for camera in &status.cameras {
            let camera_away = Trouble::CameraAway { camera: camera.id.clone() };
            self.see(camera_away, is_away(camera), now);
        }
        let is_configured = |id: &CameraId| status.cameras.iter().any(|camera| camera.id == *id);
        let is_gone =
            |trouble: &Trouble| matches!(trouble, Trouble::CameraAway { camera } if !is_configured(camera));
        self.suspects.retain(|suspect| suspect.has_ended || !is_gone(&suspect.trouble));
        let gone: Vec<Trouble> =
            self.standing.iter().map(|one| one.trouble.clone()).filter(is_gone).collect();
        gone.into_iter().for_each(|trouble| self.see(trouble, false, now));
        if let Some(store) = &status.store {
            self.see(Trouble::DiskFailing, store.state == StoreState::Failing, now);
            self.see(Trouble::DiskFull, store.state == StoreState::FullOfEvidence, now);
        }
        self.see(Trouble::ClockUnset, status.clock == ClockState::Unsynced, now);
        let faults = &status.configuration_faults;
        let (count, first) = (faults.len() as u64, faults.first().cloned().unwrap_or_default());
        self.see(Trouble::ConfigurationFaults { count, first }, count > 0, now);
    }

    /// Takes the finding of the post's bounds.
    pub fn bounds(&mut self, found: Option<&Trouble>, now: Monotonic) {
        let none = Trouble::TooMuch { limit: Limit::Alerts, refused: 0 };
        self.see(found.cloned().unwrap_or(none), found.is_some(), now);
    }

    /// Takes vitals that arrived at `at` by the post's clock.
    pub fn vitals(&mut self, vitals: &Vitals, at: WallTime, now: Monotonic) {
        self.shortfall(vitals, now);
        let celsius = vitals.temperature_celsius;
        self.see(Trouble::Hot { celsius }, vitals.throttle < THROTTLE_HOT, now);
        let Some(health) = &vitals.health else { return };
        self.see(Trouble::ClockUnset, health.clock == ClockState::Unsynced, now);
        if let Some(free_bytes) = vitals.disk.free_bytes {
            let free_bytes_min = health.free_bytes_min;
            let trouble = Trouble::DiskNearlyFull { free_bytes, free_bytes_min };
            let part = self.limit(&trouble, HEADROOM);
            let is_wrong = (free_bytes as f64) < part * free_bytes_min as f64;
            self.see(trouble, is_wrong, now);
        }
        if let Some(days) = health.footage_days {
            let trouble = Trouble::FootageShort { days, days_min: health.footage_days_min };
            let needed = health.footage_days_min * self.limit(&trouble, (1.0, FOOTAGE_ENOUGH));
            self.see(trouble, days < needed, now);
        }
        // Both times are the box's own.
        let waited = health.oldest_unacknowledged.map_or(Duration::ZERO, |oldest| vitals.at.since(oldest));
        let trouble = Trouble::OutboxGrowing { depth: health.outbox_depth, seconds: waited.as_secs() };
        self.see(trouble, waited >= OUTBOX_WAIT, now);
        if let Some(ends_at) = health.certificate_ends_at {
            let is_wrong = ends_at < at + CERTIFICATE_NOTICE;
            self.see(Trouble::CertificateEnding { ends_at }, is_wrong, now);
        }
    }

    /// Drops what has not been reported yet: the box is gone, and has to show it anew.
    pub fn absent(&mut self) {
        self.suspects.clear();
    }

    /// Advances the time. Returns the change to report, with troubles found at `at` by the post's clock.
    pub fn pass(&mut self, at: WallTime, now: Monotonic) -> Change {
        let mut change = Change::default();
        let is_due = |suspect: &Suspect| now.since(suspect.since) >= suspect.patience();
        let due: Vec<Suspect> = self.suspects.iter().filter(|suspect| is_due(suspect)).cloned().collect();
        // Cameras behind one switch go and come together: the others are reported with the first one.
        let is_with = |suspect: &Suspect| {
            let is_camera = |one: &Suspect| matches!(one.trouble, Trouble::CameraAway { .. });
            let has_lasted = now.since(suspect.since) * 2 >= suspect.patience();
            is_camera(suspect)
                && has_lasted
                && due.iter().any(|one| is_camera(one) && one.has_ended == suspect.has_ended)
        };
        let (told, waiting) =
            std::mem::take(&mut self.suspects).into_iter().partition(|one| is_due(one) || is_with(one));
        self.suspects = waiting;
        for Suspect { trouble, has_ended, .. } in told {
            self.standing.retain(|one| !one.trouble.is_same(&trouble));
            if has_ended {
                change.ended.push(trouble);
            } else {
                self.standing.push(Standing { since: Some(at), trouble: trouble.clone() });
                change.begun.push(trouble);
            }
        }
        change
    }

    fn shortfall(&mut self, vitals: &Vitals, now: Monotonic) {
        let (mut served, mut short) = (0.0, 0.0);
        for camera in &vitals.cameras {
            served += camera.looks_per_second;
            short += camera.shortfall_looks_per_second;
        }
        let part = if short > 0.0 { short / (served + short) } else { 0.0 };
        let trouble = Trouble::Shortfall { percent: (part * 100.0).round() };
        let limit = self.limit(&trouble, SHORTFALL);
        self.see(trouble, part >= limit, now);
    }

    /// The first limit, or the second one while the trouble stands.
    fn limit(&self, trouble: &Trouble, (begins, goes_on): (f64, f64)) -> f64 {
        if self.stands(trouble) { goes_on } else { begins }
    }

    fn stands(&self, trouble: &Trouble) -> bool {
        self.standing.iter().any(|one| one.trouble.is_same(trouble))
    }

    /// Takes the finding of one message about one trouble.
    fn see(&mut self, trouble: Trouble, is_wrong: bool, now: Monotonic) {
        let stands = self.stands(&trouble);
        if stands == is_wrong {
            self.suspects.retain(|suspect| !suspect.trouble.is_same(&trouble));
            // Its numbers are those of the last message.
            let known = self.standing.iter_mut().find(|one| is_wrong && one.trouble.is_same(&trouble));
            known.into_iter().for_each(|one| one.trouble = trouble.clone());
            return;
        }
        match self.suspects.iter_mut().find(|suspect| suspect.trouble.is_same(&trouble)) {
            Some(suspect) => suspect.trouble = trouble,
            None => self.suspects.push(Suspect { trouble, has_ended: stands, since: now }),
        }
    }
}

impl Suspect {
    /// Time for which it must last before it is reported.
    fn patience(&self) -> Duration {
        if self.has_ended {
            return CLEAR_AFTER;
        }
        Duration::from_secs(match self.trouble {
            Trouble::CameraAway { .. } => 90,
            Trouble::DiskNearlyFull { .. } | Trouble::FootageShort { .. } => 120,
            Trouble::Shortfall { .. } | Trouble::Hot { .. } => 300,
            Trouble::ClockUnset => 600,
            _ => 0,
        })
    }
}

/// True for a camera without a picture. A file that was played to its end is none.
fn is_away(camera: &CameraStatus) -> bool {
    match camera.state {
        StreamState::Live | StreamState::Ended => false,
        StreamState::Connecting | StreamState::BackingOff | StreamState::Misconfigured => true,
    }
}
