//! Connections to the database for requests: a few at a time, each on a blocking thread, and used again.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::answer::Fault;
use super::limits::{TURN_WITHIN, WORKERS_MAX};
use crate::storage::Storage;

/// A bounded pool of connections.
#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Storage>>>,
}

impl Pool {
    /// A pool of connections to the database at `path`, none of which is open yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, turns: Arc::new(Semaphore::new(WORKERS_MAX)), idle: Arc::default() }
    }

    /// Runs `work` with a connection on a blocking thread.
    ///
    /// # Errors
    /// No turn came in time, no connection can be opened, the work failed, or it panicked.
    pub async fn run<T, W>(&self, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: FnOnce(&mut Storage) -> Result<T, Fault> + Send + 'static,
    {
        let turn = tokio::time::timeout(TURN_WITHIN, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Fault::Busy) };
        let (idle, path) = (Arc::clone(&self.idle), self.path.clone());
        let job = move || {
            let waiting = idle.lock().pop();
            let mut storage = match waiting {
                Some(storage) => storage,
                None => Storage::open_beside(&path)?,
            };
            let result = work(&mut storage);
            idle.lock().push(storage);
            drop(turn);
            result
        };
        // The panic itself is in the log already.
        spawn_blocking(job).await.unwrap_or(Err(Fault::Defect))
    }
}
