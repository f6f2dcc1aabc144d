//! Checks the store once a second, and reports its state to the status registry.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::registry::StatusRegistry;
use base::channel;
use base::progress::{self, WORK_MAX};
use base::status::StoreState;
use clipstore::{Store, StoreVitals};

/// Interval of the checks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Checks for which a lost fragment counts, so that losses that come and go are one fault, not many.
const CHECKS: u32 = 10;

/// The thread that checks the store.
pub struct Disk {
    /// Dropped to end the thread.
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread that checks the store. An error: the system has no thread left.
    pub fn start(store: Store, registry: Arc<StatusRegistry>) -> std::io::Result<Self> {
        let (end, ended) = channel::blocking(1);
        let thread = std::thread::Builder::new()
            .name("disk".into())
            .spawn(move || check_until(&ended, &store, &registry))?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }

    /// Ends the thread, and waits for it.
    pub fn stop(&mut self) {
        self.end = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that checks the disk panicked");
        }
    }
}

/// Outcome of the last check.
#[derive(Debug, Default)]
struct History {
    /// Fragments lost or refused by then.
    missing: u64,
    /// Checks since their number last grew; `None` from [`CHECKS`] on.
    since: Option<u32>,
    /// The last fault in that time.
    fault: Option<String>,
}

impl History {
    /// The store's state, and the reason where it does not keep everything.
    fn at(&mut self, vitals: &StoreVitals) -> (StoreState, Option<String>) {
        let missing = vitals.refused_fragments + vitals.lost_fragments;
        self.since = if missing > self.missing { Some(0) } else { self.since.map(|since| since + 1) };
        self.since = self.since.filter(|since| *since < CHECKS);
        self.missing = missing;
        if let Some(full) = &vitals.full_of_evidence {
            return (StoreState::FullOfEvidence, Some(full.clone()));
        }
        let faults = [&vitals.index_unwritable, &vitals.clips_unwritable, &vitals.holds_unreadable];
        match (faults.into_iter().find_map(Option::as_ref), self.since) {
            (Some(fault), _) => {
                self.fault = Some(fault.clone());
                (StoreState::Failing, Some(fault.clone()))
            }
            (None, Some(_)) => {
                let reason = match &self.fault {
                    Some(fault) => format!("footage was lost a moment ago: {fault}"),
                    None => "footage is being lost: the disk is slower than the cameras".to_owned(),
                };
                (StoreState::Failing, Some(reason))
            }
            (None, None) => {
                self.fault = None;
                (StoreState::Keeping, None)
            }
        }
    }
}

/// Reports the store's state to the registry, until `ended` closes.
fn check_until(ended: &Receiver<()>, store: &Store, registry: &StatusRegistry) {
    let mut history = History::default();
    let _unit = progress::begin("the check of the store", WORK_MAX);
    while progress::wait(|| ended.recv_timeout(INTERVAL)) == Err(RecvTimeoutError::Timeout) {
        let (state, reason) = history.at(&store.vitals());
        registry.store_is(state, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_fragment_is_told_for_a_while_and_a_fault_as_long_as_it_lasts() {
        let mut history = History::default();
        let mut vitals = StoreVitals::default();
        assert_eq!(history.at(&vitals), (StoreState::Keeping, None));
        vitals.refused_fragments = 1;
        for _ in 0..CHECKS {
            assert_eq!(history.at(&vitals).0, StoreState::Failing);
        }
        assert_eq!(history.at(&vitals).0, StoreState::Keeping);
        vitals.clips_unwritable = Some("cannot write".into());
        assert_eq!(history.at(&vitals), (StoreState::Failing, Some("cannot write".into())));
        vitals.lost_fragments = 1;
        history.at(&vitals);
        vitals.clips_unwritable = None;
        let reason = history.at(&vitals).1.unwrap();
        assert!(reason.contains("a moment ago: cannot write"), "{reason}");
    }
}
