//! Unsaved alerts: sent before they are stored, since the disk does not take them. Held in memory, and bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::alert::Alert;
use base::event::Phase;
use base::ids::AlertId;

/// Maximum number of them. Beyond that the oldest is dropped here, and waits for the disk alone.
pub const UNSAVED_MAX: usize = 64;

/// The unsaved alerts that the broker has not acknowledged, each with a number that grows.
#[derive(Debug, Default)]
pub(super) struct UnsavedAlerts {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    alerts: VecDeque<(u64, Alert)>,
}

impl UnsavedAlerts {
    /// Adds an alert, unless it is already here.
    pub fn add(&self, alert: Alert) {
        let mut list = self.lock();
        if list.alerts.iter().any(|(_, one)| (one.id, one.phase) == (alert.id, alert.phase)) {
            return;
        }
        if list.alerts.len() == UNSAVED_MAX {
            list.alerts.pop_front();
        }
        list.last += 1;
        let number = list.last;
        list.alerts.push_back((number, alert));
    }

    /// Removes an alert.
    pub fn remove(&self, id: AlertId, phase: Phase) {
        self.lock().alerts.retain(|(_, alert)| (alert.id, alert.phase) != (id, phase));
    }

    /// Removes the alert with this number.
    pub fn acknowledged(&self, number: u64) {
        self.lock().alerts.retain(|(one, _)| *one != number);
    }

    /// True while the broker has not acknowledged the alert.
    pub fn holds(&self, id: AlertId, phase: Phase) -> bool {
        self.lock().alerts.iter().any(|(_, alert)| (alert.id, alert.phase) == (id, phase))
    }

    /// The first alert with a number above `after`.
    pub fn next(&self, after: u64) -> Option<(u64, Alert)> {
        self.lock().alerts.iter().find(|(number, _)| *number > after).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Each holder leaves the list whole before it could panic.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
