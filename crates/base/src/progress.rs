//! Progress of the process: each thread that must not stall reports its work, and the watchdog asks for stalls.
//!
//! A thread [`begin`]s a [`Unit`] of work. From then on it is *at work*, and has to report within `work_max` that it
//! [`advance`]s or [`wait`]s. Both are about the calling thread, and do nothing on a thread without a unit. So code that waits
//! deep down need not know its unit. A unit that is dropped by a panic stays, and counts as stalled for ever. Nothing here
//! ends or restarts anything.
//!
//! One register for the process: so the watchdog sees every unit, and no thread can be forgotten in the wiring.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

/// The unit waits for something that may never come.
const WAITING: u64 = 0;
/// The unit was dropped by a panic.
const FALLEN: u64 = u64::MAX;

/// Time that a thread of the box may work on one thing before it counts as stalled.
pub const WORK_MAX: Duration = Duration::from_secs(60);

static REGISTER: Mutex<Vec<Arc<Entry>>> = Mutex::new(Vec::new());

thread_local! {
    static CURRENT: RefCell<Option<Arc<Entry>>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Entry {
    name: String,
    work_max: Duration,
    /// [`WAITING`], [`FALLEN`], or the moment of the last progress as [`moment`] gives it.
    since: AtomicU64,
}

/// Work of a thread that must not stall. The thread is watched until the unit is dropped.
#[derive(Debug)]
pub struct Unit {
    entry: Arc<Entry>,
    /// The thread's unit before: units may be nested.
    outer: Option<Arc<Entry>>,
}

/// A unit that has been at work for longer than it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    /// Its name.
    pub unit: String,
    /// Time without a report; `None` if it has panicked.
    pub silent: Option<Duration>,
}

impl std::fmt::Display for Standstill {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.silent {
            Some(silent) => write!(out, "{} has got nowhere for {} s", self.unit, silent.as_secs()),
            None => write!(out, "{} has panicked", self.unit),
        }
    }
}

/// Starts work of the calling thread on `name`. The thread has to advance at least every `work_max`, or to wait.
pub fn begin(name: impl Into<String>, work_max: Duration) -> Unit {
    let entry = Arc::new(Entry { name: name.into(), work_max, since: AtomicU64::new(moment()) });
    register().push(Arc::clone(&entry));
    let outer = CURRENT.with(|current| current.replace(Some(Arc::clone(&entry))));
    Unit { entry, outer }
}

/// Reports progress of the calling thread.
pub fn advance() {
    set(moment());
}

/// Waits by calling `what`, for any length of time: that is no stall.
pub fn wait<T>(what: impl FnOnce() -> T) -> T {
    /// Ends the wait on a panic, too.
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            advance();
        }
    }
    set(WAITING);
    let _waits = Waits;
    what()
}

/// The units that are stalled now.
pub fn standstills() -> Vec<Standstill> {
    standstills_at(moment())
}

/// The units that would be stalled at `now`, as [`moment`] gives it.
fn standstills_at(now: u64) -> Vec<Standstill> {
    let mut found = Vec::new();
    for entry in register().iter() {
        let silent = match entry.since.load(Ordering::Relaxed) {
            WAITING => continue,
            FALLEN => None,
            since => Some(Duration::from_millis(now.saturating_sub(since))),
        };
        if silent.is_none_or(|silent| silent > entry.work_max) {
            found.push(Standstill { unit: entry.name.clone(), silent });
        }
    }
    found
}

impl Drop for Unit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.entry.since.store(FALLEN, Ordering::Relaxed);
        } else {
            register().retain(|entry| !Arc::ptr_eq(entry, &self.entry));
        }
        let outer = self.outer.take();
        // Another thread that drops the unit keeps its own current one; a thread that ends has none.
        let _ = CURRENT.try_with(|current| {
            let mut current = current.borrow_mut();
            if current.as_ref().is_some_and(|entry| Arc::ptr_eq(entry, &self.entry)) {
                *current = outer;
            }
        });
    }
}

fn set(since: u64) {
    let _ = CURRENT.try_with(|current| {
        if let Some(entry) = current.borrow().as_ref() {
            entry.since.store(since, Ordering::Relaxed);
        }
    });
}

/// Milliseconds since the first call, from 1 on.
fn moment() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis())
        .unwrap_or(FALLEN - 1)
        .saturating_add(1)
}

fn register() -> MutexGuard<'static, Vec<Arc<Entry>>> {
    // Entries are put in and taken out whole.
    REGISTER.lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stall of the unit two hours from now, without a report meanwhile.
    fn later(unit: &str) -> Option<Standstill> {
        standstills_at(moment() + 7_200_000).into_iter().find(|still| still.unit == unit)
    }

    fn of(unit: &str) -> Option<Standstill> {
        standstills().into_iter().find(|still| still.unit == unit)
    }

    #[test]
    fn who_works_too_long_stands_still_and_who_waits_does_not() {
        let hour = Duration::from_secs(3600);
        let unit = begin("slow", hour);
        assert_eq!(of("slow"), None);
        assert!(later("slow").is_some_and(|still| still.silent.is_some_and(|silent| silent > hour)));
        let inner = begin("patient", hour);
        wait(|| assert_eq!(later("patient"), None));
        assert!(later("patient").is_some(), "the wait is over");
        drop(inner);
        assert_eq!(later("patient"), None);
        // The outer unit is the thread's again.
        wait(|| assert_eq!(later("slow"), None));
        assert!(later("slow").is_some());
        drop(unit);
        assert_eq!(later("slow"), None);
        advance();
        assert_eq!(later("slow"), None, "a thread without a unit says nothing");
    }

    #[test]
    fn who_panics_stands_still_for_ever() {
        let ended = std::thread::spawn(|| {
            let _unit = begin("falls", Duration::from_secs(3600));
            wait(|| panic!("on purpose"));
        });
        assert!(ended.join().is_err());
        assert_eq!(of("falls"), Some(Standstill { unit: "falls".into(), silent: None }));
        assert_eq!(of("falls").unwrap().to_string(), "falls has panicked");
    }
}
