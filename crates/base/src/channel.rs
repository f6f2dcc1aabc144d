//! Bounded channels, named for their behaviour when they are full.
//!
//! - [`latest_wins`]: frames. An unread value is replaced and counted.
//! - [`oldest_dropped`]: vitals. The oldest of a few is dropped and counted.
//! - [`blocking`]: fragments on their way to the disk, events. The sender waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// A channel of `capacity` values: a sender waits while it is full.
pub fn blocking<T>(capacity: usize) -> (SyncSender<T>, Receiver<T>) {
    sync_channel(capacity)
}

/// A queue of `capacity` values: the newest stay.
pub fn oldest_dropped<T>(capacity: usize) -> OldestDropped<T> {
    OldestDropped { capacity: capacity.max(1), queue: Arc::default() }
}

/// A queue of [`oldest_dropped`]. Cloned freely; no sender waits.
#[derive(Debug)]
pub struct OldestDropped<T> {
    capacity: usize,
    /// The values, and the number of dropped ones.
    queue: Arc<Mutex<(VecDeque<T>, u64)>>,
}

impl<T> Clone for OldestDropped<T> {
    fn clone(&self) -> Self {
        Self { capacity: self.capacity, queue: Arc::clone(&self.queue) }
    }
}

impl<T> OldestDropped<T> {
    /// Puts `value` behind the others; drops the oldest of them if there are too many.
    pub fn put(&self, value: T) {
        let mut queue = self.lock();
        if queue.0.len() >= self.capacity {
            queue.0.pop_front();
            queue.1 += 1;
        }
        queue.0.push_back(value);
    }

    /// Takes the oldest value that is left.
    pub fn take(&self) -> Option<T> {
        self.lock().0.pop_front()
    }

    /// Number of dropped values.
    pub fn dropped(&self) -> u64 {
        self.lock().1
    }

    fn lock(&self) -> MutexGuard<'_, (VecDeque<T>, u64)> {
        // A value is put or taken whole: a panicking holder leaves nothing half-done behind.
        self.queue.lock()
    }
}

/// One slot that holds the newest value only.
///
/// Cloned freely; every clone may put and take. A late receiver gets the latest value; [`LatestWins::replaced`] counts
/// the others.
pub fn latest_wins<T>() -> LatestWins<T> {
    LatestWins {
        slot: Arc::new(Slot { value: Mutex::new(None), filled: Condvar::new(), replaced: AtomicU64::new(0) }),
    }
}

/// The slot of [`latest_wins`].
#[derive(Debug)]
pub struct LatestWins<T> {
    slot: Arc<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    value: Mutex<Option<T>>,
    filled: Condvar,
    replaced: AtomicU64,
}

impl<T> Clone for LatestWins<T> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot) }
    }
}

impl<T> LatestWins<T> {
    /// Puts `value` in, in place of one that was not taken; returns true where there was one.
    pub fn put(&self, value: T) -> bool {
        let replaced = self.lock().replace(value).is_some();
        if replaced {
            self.slot.replaced.fetch_add(1, Ordering::Relaxed);
        }
        self.slot.filled.notify_one();
        replaced
    }

    /// Takes the value, if there is one, without waiting.
    pub fn take(&self) -> Option<T> {
        self.lock().take()
    }

    /// Waits up to `timeout` for a value.
    pub fn take_timeout(&self, timeout: Duration) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut value = self.lock();
        loop {
            if let Some(value) = value.take() {
                return Some(value);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.slot.filled.wait_for(&mut value, left);
        }
    }

    /// Number of values that were replaced before they were taken.
    pub fn replaced(&self) -> u64 {
        self.slot.replaced.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        // A value is put or taken whole: a panicking holder leaves nothing half-done behind.
        self.slot.value.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_value_wins_and_the_rest_is_counted() {
        let slot = latest_wins();
        for value in 0..5 {
            slot.put(value);
        }
        assert_eq!(slot.take(), Some(4));
        assert_eq!(slot.take(), None);
        assert_eq!(slot.replaced(), 4);
    }

    #[test]
    fn the_newest_of_a_few_stay() {
        let queue = oldest_dropped(2);
        (0..5).for_each(|value| queue.put(value));
        assert_eq!((queue.take(), queue.take(), queue.take(), queue.dropped()), (Some(3), Some(4), None, 3));
    }

    #[test]
    fn a_waiting_taker_wakes_and_a_lonely_one_gives_up() {
        let slot = latest_wins();
        let putter = slot.clone();
        let thread = std::thread::spawn(move || putter.put(7));
        assert_eq!(slot.take_timeout(Duration::from_secs(10)), Some(7));
        thread.join().unwrap();
        assert_eq!(slot.take_timeout(Duration::from_millis(1)), None);
    }
}
