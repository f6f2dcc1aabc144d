//! The status registry: collects the states of streams and store into the status message.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::config;
use base::clock::{self, Clock as _, SystemClock};
use base::fragment::{StreamFacts, StreamRole};
use base::ids::{BoxId, CameraId, WardId};
use base::status::{
    CameraStatus, InputCounts, Presence, SCHEMA, Status, StoreState, StoreStatus, StreamState,
};
use base::stream_pair;
use base::time::WallTime;
use camera::StreamReport;
use clipstore::Store;
use wardlink::{Publisher, StatusSource};

/// Keeps the states and tells the publisher when one has changed.
pub struct StatusRegistry {
    ward: WardId,
    box_id: BoxId,
    boot_id: String,
    started_at: WallTime,
    store: Store,
    state: Mutex<State>,
}

struct State {
    streams: BTreeMap<CameraId, BTreeMap<StreamRole, CameraStatus>>,
    inputs: BTreeMap<CameraId, BTreeMap<StreamRole, InputCounts>>,
    facts: BTreeMap<CameraId, BTreeMap<StreamRole, StreamFacts>>,
    store: StoreStatus,
    /// Parts of the configuration that are not in force.
    configuration_faults: Vec<String>,
    publisher: Option<Arc<Publisher>>,
}

impl State {
    fn notify(&self) {
        if let Some(publisher) = &self.publisher {
            publisher.status_changed();
        }
    }
}

impl StatusRegistry {
    /// A registry in which no camera has been heard of.
    pub fn new(settings: &config::Settings, store: Store) -> Self {
        let started_at = clock::wall();
        let keeping = StoreStatus { state: StoreState::Keeping, reason: None, since: started_at };
        Self {
            ward: settings.ward.clone(),
            box_id: settings.box_id.clone(),
            boot_id: clock::boot_id(),
            started_at,
            store,
            state: Mutex::new(State {
                streams: BTreeMap::new(),
                inputs: BTreeMap::new(),
                facts: BTreeMap::new(),
                store: keeping,
                configuration_faults: Vec::new(),
                publisher: None,
            }),
        }
    }

    /// Attaches the publisher, which hears of changes from now on.
    pub fn attach(&self, publisher: Arc<Publisher>) {
        self.lock().publisher = Some(publisher);
    }

    /// Detaches the publisher.
    pub fn detach(&self) {
        self.lock().publisher = None;
    }

    /// Notes that a stream is being connected.
    pub fn connecting(&self, camera: &CameraId, role: StreamRole) {
        self.set(camera, role, StreamState::Connecting, None, Vec::new());
    }

    /// Notes what of the configuration is not in force, and tells the publisher.
    pub fn configuration_is(&self, faults: Vec<String>) {
        let mut known = self.lock();
        if known.configuration_faults != faults {
            known.configuration_faults = faults;
            known.notify();
        }
    }

    /// Notes a camera that is not started, since its configuration has a fault.
    pub fn misconfigured(&self, camera: &CameraId, reason: &str) {
        let reason = Some(reason.to_owned());
        self.set(camera, StreamRole::Main, StreamState::Misconfigured, reason, Vec::new());
    }

    /// Notes a stream's report.
    pub fn report(&self, report: StreamReport) {
        let notes = report.health.notes(report.facts.as_ref());
        if let Some(facts) = report.facts {
            self.lock().facts.entry(report.camera.clone()).or_default().insert(report.role, facts);
        }
        self.set(&report.camera, report.role, report.state, report.reason, notes);
    }

    /// Notes the input that a stream had to skip so far. Sent with the next change of a state.
    pub fn input(&self, camera: &CameraId, role: StreamRole, input: InputCounts) {
        self.lock().inputs.entry(camera.clone()).or_default().insert(role, input);
    }

    /// Removes a camera that is no longer configured.
    pub fn forget(&self, camera: &CameraId) {
        let mut known = self.lock();
        known.streams.remove(camera);
        known.inputs.remove(camera);
        known.facts.remove(camera);
    }

    /// Notes the store's state, and tells the publisher of a change.
    pub fn store_is(&self, state: StoreState, reason: Option<String>) {
        let mut known = self.lock();
        if (known.store.state, &known.store.reason) == (state, &reason) {
            return;
        }
        if known.store.state != state {
            known.store.since = clock::wall();
        }
        (known.store.state, known.store.reason) = (state, reason);
        known.notify();
    }

    fn set(
        &self,
        camera: &CameraId,
        role: StreamRole,
        state: StreamState,
        reason: Option<String>,
        notes: Vec<String>,
    ) {
        let mut known = self.lock();
        let streams = known.streams.entry(camera.clone()).or_default();
        let before = streams.get(&role).filter(|before| before.state == state && before.reason == reason);
        let since = before.map_or_else(clock::wall, |before| before.since);
        streams.insert(role, CameraStatus { id: camera.clone(), state, reason, since, notes, input: None });
        known.notify();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The status of a camera with these streams: that of the worse one, and the notes of all.
fn of_camera(streams: &BTreeMap<StreamRole, CameraStatus>) -> Option<CameraStatus> {
    let worst = streams.values().max_by_key(|stream| worse(stream.state))?;
    let mut notes: Vec<String> = streams.values().flat_map(|stream| &stream.notes).cloned().collect();
    notes.dedup();
    Some(CameraStatus { notes, ..worst.clone() })
}

/// The note about a camera's main and sub streams, where they do not go together.
fn note_of_pair(facts: &BTreeMap<StreamRole, StreamFacts>) -> Option<String> {
    let (main, sub) = (facts.get(&StreamRole::Main)?, facts.get(&StreamRole::Sub)?);
    stream_pair::fault(main, sub).map(|fault| format!("{}; {}", fault.what, fault.remedy))
}

/// Rank of a state; a camera has the highest of its streams.
fn worse(state: StreamState) -> u8 {
    match state {
        StreamState::Live => 0,
        StreamState::Ended => 1,
        StreamState::Connecting => 2,
        StreamState::BackingOff => 3,
        StreamState::Misconfigured => 4,
    }
}

impl StatusSource for StatusRegistry {
    fn status(&self) -> Status {
        let cameras = {
            let known = self.lock();
            let mut cameras = Vec::new();
            for status in known.streams.values().filter_map(of_camera) {
                let inputs = known.inputs.get(&status.id).into_iter().flat_map(BTreeMap::values);
                let sum = inputs.fold(InputCounts::default(), |sum, input| sum.plus(*input));
                let input = (sum != InputCounts::default()).then_some(sum);
                let mut notes = status.notes;
                notes.extend(known.facts.get(&status.id).and_then(note_of_pair));
                cameras.push(CameraStatus { input, notes, ..status });
            }
            cameras
        };
        let (store, configuration_faults) = {
            let known = self.lock();
            (known.store.clone(), known.configuration_faults.clone())
        };
        let (outbox_depth, oldest_unacknowledged) = self.store.outbox_depth().unwrap_or_default();
        Status {
            schema: SCHEMA.to_owned(),
            presence: Presence::Online,
            ward: self.ward.clone(),
            box_id: self.box_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.boot_id.clone(),
            started_at: self.started_at,
            connection: None,
            cameras,
            store: Some(store),
            outbox_depth,
            oldest_unacknowledged,
            outbox: self.store.outbox_status().ok(),
            clock: SystemClock.now().clock,
            configuration_faults,
            on_test: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::fragment::{Codec, TimeSource};

    #[test]
    fn streams_that_do_not_go_together_are_noted_once_both_are_known() {
        let facts =
            |width, height| StreamFacts { codec: Codec::H264, width, height, time: TimeSource::Camera };
        let mut known = BTreeMap::from([(StreamRole::Main, facts(640, 360))]);
        assert_eq!(note_of_pair(&known), None);
        known.insert(StreamRole::Sub, facts(1920, 1080));
        let note = note_of_pair(&known).unwrap();
        assert!(note.contains("main is 640x360") && note.contains("; exchange main and sub"), "{note}");
        known.insert(StreamRole::Main, facts(2688, 1512));
        assert_eq!(note_of_pair(&known), None);
    }
}
