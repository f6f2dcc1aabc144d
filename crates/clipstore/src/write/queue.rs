//! Queue of the writer: bounded, alerts first.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::StoreError;
use crate::index::Acknowledgement;
use base::alert::{Alert, AlertDraft};
use base::fragment::Fragment;
use base::still::StillDraft;

/// Maximum number of waiting fragments: 16 cameras, half a minute.
const FRAGMENTS_MAX: usize = 256;
/// Maximum bytes of waiting fragments.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Channel for the answer to an alert.
pub(crate) type Reply = SyncSender<Result<Alert, StoreError>>;

/// Channel for the answer to stills: the number of older ones that made way.
pub(crate) type StillsReply = SyncSender<Result<u64, StoreError>>;

/// Job of the writer.
#[derive(Debug)]
pub(crate) enum Job {
    /// Store an alert and answer.
    Alert(Box<AlertDraft>, Reply),
    /// The post has stored sent messages.
    Acknowledged(Acknowledgement),
    /// These alerts have been delivered.
    Delivered(Vec<u64>),
    /// Append to the camera's segment.
    Fragment(Fragment),
    /// The broker has these stills.
    StillsDelivered(Vec<u64>),
    /// Store the stills of an alert and answer.
    Stills(Vec<StillDraft>, StillsReply),
    /// Nothing came before the deadline.
    Nothing,
    /// Nothing is left and nothing will come.
    Close,
}

/// Fill level of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    pub fragments: usize,
    pub bytes: usize,
    /// Number of fragments that were refused since the start.
    pub refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: Mutex<Jobs>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Jobs {
    alerts: VecDeque<(Box<AlertDraft>, Reply)>,
    /// The latest one, with the numbers of those before it.
    acknowledged: Option<Acknowledgement>,
    delivered: Vec<u64>,
    fragments: VecDeque<Fragment>,
    bytes: usize,
    refused: u64,
    stills_delivered: Vec<u64>,
    stills: VecDeque<(Vec<StillDraft>, StillsReply)>,
    closed: bool,
}

impl Queue {
    /// Adds a fragment, or refuses and counts it. Never waits. An empty queue takes every fragment.
    pub fn push_fragment(&self, fragment: Fragment) -> Result<(), StoreError> {
        let mut waiting = self.open()?;
        let (fragments, bytes) = (waiting.fragments.len(), waiting.bytes);
        let full = fragments >= FRAGMENTS_MAX || bytes + bytes_of(&fragment) > BYTES_MAX;
        if full && fragments > 0 {
            waiting.refused += 1;
            return Err(StoreError::QueueFull { fragments, bytes });
        }
        waiting.bytes += bytes_of(&fragment);
        waiting.fragments.push_back(fragment);
        self.filled.notify_one();
        Ok(())
    }

    /// Adds an alert, before all fragments. Bounded by its callers: each waits for its answer.
    pub fn push_alert(&self, draft: AlertDraft, reply: Reply) -> Result<(), StoreError> {
        self.open()?.alerts.push_back((Box::new(draft), reply));
        self.filled.notify_one();
        Ok(())
    }

    /// Adds a delivered alert; nothing happens on a closed queue: the alert is then delivered once more.
    pub fn push_delivered(&self, seq: u64) {
        if let Ok(mut waiting) = self.open() {
            waiting.delivered.push(seq);
            self.filled.notify_one();
        }
    }

    /// Notes an acknowledgement of the post; nothing happens on a closed queue: the alerts are then sent once more.
    pub fn push_acknowledged(&self, acknowledgement: Acknowledgement) {
        if let Ok(mut waiting) = self.open() {
            waiting.acknowledged = Some(acknowledgement.after(waiting.acknowledged.take()));
            self.filled.notify_one();
        }
    }

    /// Adds stills, behind all fragments. Bounded by its caller, which waits for its answer.
    pub fn push_stills(&self, stills: Vec<StillDraft>, reply: StillsReply) -> Result<(), StoreError> {
        self.open()?.stills.push_back((stills, reply));
        self.filled.notify_one();
        Ok(())
    }

    /// Notes a still that the broker has; nothing happens on a closed queue: the still is then sent once more.
    pub fn push_still_delivered(&self, number: u64) {
        if let Ok(mut waiting) = self.open() {
            waiting.stills_delivered.push(number);
            self.filled.notify_one();
        }
    }

    /// The alerts that wait now.
    pub fn take_alerts(&self) -> VecDeque<(Box<AlertDraft>, Reply)> {
        std::mem::take(&mut self.lock().alerts)
    }

    /// The next job; waits for one until `deadline` (without one, for ever).
    pub fn take(&self, deadline: Option<Instant>) -> Job {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.next() {
                return job;
            }
            waiting = match deadline {
                None => self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                        return Job::Nothing;
                    };
                    let waited = self.filled.wait_timeout(waiting, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Takes nothing more; waiting jobs are still handed out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Closes and forgets all waiting jobs: callers that wait for an answer learn that none comes.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        *waiting = Jobs { refused: waiting.refused, closed: true, ..Jobs::default() };
    }

    pub fn level(&self) -> Level {
        let waiting = self.lock();
        Level { fragments: waiting.fragments.len(), bytes: waiting.bytes, refused: waiting.refused }
    }

    fn open(&self) -> Result<MutexGuard<'_, Jobs>, StoreError> {
        let waiting = self.lock();
        if waiting.closed { Err(StoreError::Closed) } else { Ok(waiting) }
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        // Each holder leaves the counts consistent before it could panic.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory of a fragment, with its init section: in the worst case each has one of its own.
fn bytes_of(fragment: &Fragment) -> usize {
    fragment.bytes.len() + fragment.init.len()
}

impl Jobs {
    fn next(&mut self) -> Option<Job> {
        if let Some((draft, reply)) = self.alerts.pop_front() {
            return Some(Job::Alert(draft, reply));
        }
        if let Some(ack) = self.acknowledged.take() {
            return Some(Job::Acknowledged(ack));
        }
        if !self.delivered.is_empty() {
            return Some(Job::Delivered(std::mem::take(&mut self.delivered)));
        }
        if let Some(fragment) = self.fragments.pop_front() {
            self.bytes -= bytes_of(&fragment);
            return Some(Job::Fragment(fragment));
        }
        if !self.stills_delivered.is_empty() {
            return Some(Job::StillsDelivered(std::mem::take(&mut self.stills_delivered)));
        }
        if let Some((stills, reply)) = self.stills.pop_front() {
            return Some(Job::Stills(stills, reply));
        }
        self.closed.then_some(Job::Close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{draft, fragment};
    use std::sync::mpsc::sync_channel;

    #[test]
    fn alerts_go_first_and_everything_goes_before_closing() {
        let queue = Queue::default();
        queue.push_fragment(fragment("gate", 0)).unwrap();
        queue.push_delivered(7);
        queue.push_stills(Vec::new(), sync_channel(1).0).unwrap();
        queue.push_still_delivered(3);
        queue.push_alert(draft("gate"), sync_channel(1).0).unwrap();
        queue.close();
        assert!(matches!(queue.push_fragment(fragment("gate", 1)), Err(StoreError::Closed)));
        assert!(matches!(queue.take(None), Job::Alert(..)));
        assert!(matches!(queue.take(None), Job::Delivered(seqs) if seqs == [7]));
        assert!(matches!(queue.take(None), Job::Fragment(_)));
        assert!(matches!(queue.take(None), Job::StillsDelivered(numbers) if numbers == [3]));
        assert!(matches!(queue.take(None), Job::Stills(..)));
        assert!(matches!(queue.take(None), Job::Close));
    }

    #[test]
    fn it_is_bounded_by_count() {
        let queue = Queue::default();
        for number in 0..FRAGMENTS_MAX as u64 {
            queue.push_fragment(fragment("gate", number)).unwrap();
        }
        assert!(matches!(
            queue.push_fragment(fragment("gate", 0)),
            Err(StoreError::QueueFull { fragments: FRAGMENTS_MAX, .. })
        ));
        assert_eq!(queue.level().refused, 1);
    }

    #[test]
    fn it_is_bounded_by_bytes_but_never_starves_a_large_fragment() {
        let large = || Fragment { bytes: vec![0; BYTES_MAX + 1].into(), ..fragment("gate", 0) };
        let queue = Queue::default();
        queue.push_fragment(large()).unwrap();
        assert!(matches!(queue.push_fragment(fragment("gate", 1)), Err(StoreError::QueueFull { .. })));
        assert!(matches!(queue.take(None), Job::Fragment(_)));
        assert_eq!(queue.level(), Level { fragments: 0, bytes: 0, refused: 1 });
    }

    #[test]
    fn an_abandoned_queue_tells_those_who_wait() {
        let queue = Queue::default();
        let (reply, answer) = sync_channel(1);
        queue.push_alert(draft("gate"), reply).unwrap();
        queue.abandon();
        assert!(answer.recv().is_err());
    }
}
