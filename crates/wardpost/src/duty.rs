//! The post's own steps, on two threads: one takes the steps that are due once a second, the other calls the ward's hook.
//!
//! No page and no browser takes part: events come back, shelves end and the hook is called also where nobody looks.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::hook::{self, Hook};
use crate::presentation::Presentation;
use crate::settings::DutySettings;
use crate::storage::{DutyRules, Storage, StorageError};
use base::fault::{chain, is_repeated};
use base::{clock, progress};

/// Interval of the steps.
const PASS_EVERY: Duration = Duration::from_secs(1);
/// Maximum time of one pass, or of one call, before the thread counts as stalled.
const WORK_MAX: Duration = Duration::from_secs(90);
/// Maximum number of calls of the hook that are read at once.
const CALLS_MAX: usize = 8;

/// Reason for which the steps are not taken.
#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    /// The database cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A thread cannot be started.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// The thread.
        name: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// Takes the post's own steps until it is stopped or dropped.
#[derive(Debug)]
pub struct Duty {
    units: Vec<(SyncSender<()>, JoinHandle<()>)>,
}

impl Duty {
    /// Starts the threads. The database is there: the receiver has opened it.
    ///
    /// # Errors
    /// The database cannot be opened, or no thread can be started.
    pub fn start(
        database: &Path,
        settings: DutySettings,
        presentation: Presentation,
    ) -> Result<Self, DutyError> {
        let mut duty = Self { units: Vec::new() };
        let (storage, rules) = (Storage::open_beside(database)?, settings.rules);
        duty.spawn("duty", move |stop| {
            repeat("the post's own steps", &stop, storage, |storage| pass(storage, &rules))
        })?;
        if let Some(hook) = settings.hook {
            let storage = Storage::open_beside(database)?;
            duty.spawn("hook", move |stop| {
                repeat("the hook", &stop, storage, |storage| call(storage, &hook, &presentation))
            })?;
        }
        Ok(duty)
    }

    fn spawn(
        &mut self,
        name: &'static str,
        work: impl FnOnce(Receiver<()>) + Send + 'static,
    ) -> Result<(), DutyError> {
        let (stop, stopped) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(stopped));
        self.units.push((stop, thread.map_err(|source| DutyError::Thread { name, source })?));
        Ok(())
    }

    /// Stops after the step in hand; a call of the hook is waited for.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let (stops, threads): (Vec<_>, Vec<_>) = self.units.drain(..).unzip();
        drop(stops);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the post's own steps panicked");
            }
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.end();
    }
}

/// Works once a second until the other end of `stop` is gone. A fault is logged once.
fn repeat(
    name: &str,
    stop: &Receiver<()>,
    mut storage: Storage,
    mut work: impl FnMut(&mut Storage) -> Result<(), StorageError>,
) {
    let _unit = progress::begin(name, WORK_MAX);
    let mut told = String::new();
    while stop.recv_timeout(PASS_EVERY) == Err(RecvTimeoutError::Timeout) {
        progress::advance();
        match work(&mut storage) {
            Ok(()) => told.clear(),
            Err(error) => {
                let text = chain(&error);
                if !is_repeated(&text, &told) {
                    tracing::error!("{name} wait for the database: {text}");
                    told = text;
                }
            }
        }
    }
}

/// Takes the steps that are due.
fn pass(storage: &mut Storage, rules: &DutyRules) -> Result<(), StorageError> {
    let passed = storage.pass(rules, clock::wall())?;
    storage.note_end()?;
    for (event, level) in &passed.escalated {
        tracing::warn!("event {event} waits: escalated to level {} ({})", level.number(), level.as_str());
    }
    if let Some(flood) = passed.flood {
        match flood.since {
            Some(_) => tracing::warn!("a flood of events has begun"),
            None => tracing::info!("the flood of events is over"),
        }
    }
    Ok(())
}

/// Makes the calls of the hook that are due, and logs each.
fn call(storage: &mut Storage, hook: &Hook, presentation: &Presentation) -> Result<(), StorageError> {
    for call in storage.hook_calls(clock::wall(), CALLS_MAX)? {
        progress::advance();
        let result = hook.call(&hook::message(&call.event, presentation));
        let text = result.as_ref().err().map(|error| chain(error));
        if let Some(text) = &text {
            tracing::error!("event {}, call {}: {text}", call.event.number, call.failed + 1);
        }
        storage.hook_called(call.event.number, text.as_deref().map_or(Ok(()), Err), clock::wall())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::arrival::Arrival;
    use crate::hook::Target;
    use crate::presentation::Language;
    use crate::storage::Batch;
    use crate::storage::testing::later;

    /// The whole way: an alert arrives, nobody takes it, and the ward's program gets a text.
    #[test]
    fn an_event_that_nobody_takes_reaches_the_hook() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        let mut storage = Storage::open(&path).unwrap();
        let program = place.path().join("hook");
        std::fs::write(
            &program,
            format!("#!/bin/sh\ncat > {0}/new && mv {0}/new {0}/got\n", place.path().display()),
        )
        .unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut settings = DutySettings {
            hook: Some(Hook { target: Target::Program(program), timeout: Duration::from_secs(30) }),
            ..DutySettings::default()
        };
        settings.rules.has_hook = true;
        let (language, timezone) = (Language::Vietnamese, TimeZone::UTC);
        let duty = Duty::start(&path, settings, Presentation { language, timezone, colours: false }).unwrap();
        let arrival = Arrival { at: clock::wall() - Duration::from_secs(301), ..later("gate", "night", 0) };
        storage.take(&Batch { arrivals: vec![arrival], ..Batch::default() }).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let got = place.path().join("got");
        let is_logged = |storage: &Storage| {
            storage.decisions_about(1, 100).unwrap().iter().any(|row| row.action == "hook")
        };
        while !got.exists() || !is_logged(&storage) {
            assert!(Instant::now() < deadline, "the hook was not called");
            std::thread::sleep(Duration::from_millis(50));
        }
        duty.stop();
        let message: serde_json::Value = serde_json::from_slice(&std::fs::read(got).unwrap()).unwrap();
        assert_eq!((&message["schema"], &message["event"]), (&hook::SCHEMA.into(), &1.into()));
        assert_eq!(
            (&message["camera"]["name"], &message["severity"]),
            (&"Cổng chợ".into(), &"warning".into())
        );
        let text = message["text"].as_str().unwrap();
        assert!(text.contains("QUAN TRỌNG") && text.contains("Cổng chợ"), "{text}");
        assert!(storage.hook_calls(clock::wall(), 9).unwrap().is_empty());
    }
}
