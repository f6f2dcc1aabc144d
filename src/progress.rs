//! Whether the process gets anywhere: each thread that must not stand still says what it does, and the watchdog asks.
//!
//! A thread [`begin`]s a [`Unit`] of work. From then on it is *at work*, for as long as it was told at most, unless it says
//! that it [`advance`]s or [`wait`]s. Both speak of the thread they are called on and do nothing on a thread without a
//! unit, so that what waits deep down needs not be told for whom. A unit that is let go by a panic stays, and counts as
//! standing still for ever. Nothing here ends or restarts anything.
//!
//! One register for the process: so does the watchdog see it, and no thread can be forgotten in the wiring.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Waits for something that may never come.
const WAITING: u64 = 0;
/// Let go by a panic.
const FALLEN: u64 = u64::MAX;

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

/// A thread that must not stand still. Dropped, it is one no longer.
#[derive(Debug)]
pub struct Unit {
    entry: Arc<Entry>,
    /// What the thread was before: units may be nested.
    outer: Option<Arc<Entry>>,
}

/// A unit that has been at work for longer than it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    /// Its name.
    pub unit: String,
    /// How long it has said nothing; `None` if it has panicked.
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

/// The calling thread is at work on `name` from now on, and says so at least every `work_max` or waits.
pub fn begin(name: impl Into<String>, work_max: Duration) -> Unit {
    let entry = Arc::new(Entry { name: name.into(), work_max, since: AtomicU64::new(moment()) });
    register().push(Arc::clone(&entry));
    let outer = CURRENT.with(|current| current.replace(Some(Arc::clone(&entry))));
    Unit { entry, outer }
}

/// The calling thread has got somewhere.
pub fn advance() {
    set(moment());
}

/// Waits for something by `what`, for however long that takes: that is no standstill.
pub fn wait<T>(what: impl FnOnce() -> T) -> T {
    /// Also a panic ends the wait.
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

/// The units that stand still now.
pub fn standstills() -> Vec<Standstill> {
    standstills_at(moment())
}

/// The units that would stand still at `now`, as [`moment`] gives it.
fn standstills_at(now: u64) -> Vec<Standstill> {
    let still = |entry: &Arc<Entry>| {
        let silent = match entry.since.load(Ordering::Relaxed) {
            WAITING => return None,
            FALLEN => None,
            since => Some(Duration::from_millis(now.saturating_sub(since))),
        };
        let is_still = silent.is_none_or(|silent| silent > entry.work_max);
        is_still.then(|| Standstill { unit: entry.name.clone(), silent })
    };
    register().iter().filter_map(still).collect()
}

impl Drop for Unit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.entry.since.store(FALLEN, Ordering::Relaxed);
        } else {
            register().retain(|entry| !Arc::ptr_eq(entry, &self.entry));
        }
        let outer = self.outer.take();
        // A unit that was handed to another thread speaks of none any more; a thread that ends has no current one.
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
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours from now, if nobody says anything meanwhile.
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
