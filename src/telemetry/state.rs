//! The box's state for an operator at the box: one small file, written anew every few seconds by the daemon and read by
//! `wardwatch status`. It lies where nothing survives a power cut (`/run`), so that it never describes an earlier boot.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::metrics;
use base::ids::CameraId;
use base::status::Status;
use base::time::WallTime;
use base::vitals::Vitals;

/// The value of `schema` in every state of this version.
pub const SCHEMA: &str = "wardwatch.state/1";
/// Default directory of a service's state.
pub const DEFAULT_DIRECTORY: &str = "/run/wardwatch";
/// Interval of writing the state, in seconds. A state of three times this age was left by a daemon that hangs or is dead.
pub const INTERVAL_SECONDS: u64 = 5;

/// The state's file in a runtime directory.
const STATE: &str = "status.json";
/// The metrics' file beside it.
const METRICS: &str = "wardwatch.prom";

/// State of the box. Totals count since the daemon started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Time of writing.
    pub written_at: WallTime,
    /// The daemon's process.
    pub pid: u32,
    /// The status as sent to the post.
    pub status: Status,
    /// The vitals last sent to the post, over a minute; none in the first seconds.
    pub vitals: Option<Vitals>,
    /// The connection to the broker.
    pub broker: BrokerState,
    /// Footage.
    pub store: StoreCounts,
    /// Stills; absent where the box makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stills: Option<StillsState>,
    /// The examined cameras.
    pub cameras: Vec<CameraCounts>,
}

/// The connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerState {
    /// HOST:PORT.
    pub address: String,
    /// True if the connection stands.
    pub connected: bool,
    /// Time since which it stands, or does not.
    pub since: WallTime,
    /// Reason why it does not, for a person.
    pub reason: Option<String>,
    /// Alerts that the broker has acknowledged.
    pub published_total: u64,
    /// Faults that an operator has to correct although the connection stands, for a person.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Footage, written and waiting for the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreCounts {
    /// Clip files.
    pub segments: u64,
    /// Bytes of them that alerts need.
    pub pinned_bytes: u64,
    /// Bytes that wait for the disk.
    pub queue_bytes: u64,
    /// Fragments that the disk did not take, or that found no room to wait for it.
    pub lost_fragments_total: u64,
    /// Clip files that retention removed.
    pub removed_segments_total: u64,
}

/// Stills, made and waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StillsState {
    /// Stills that were made.
    pub made_total: u64,
    /// Alerts that lack a still.
    pub lacking_total: u64,
    /// Stills that the broker has acknowledged.
    pub published_total: u64,
    /// Stills that wait.
    pub waiting: u64,
    /// Bytes of these.
    pub waiting_bytes: u64,
}

/// Counts of a camera's frames and inferences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraCounts {
    /// The camera.
    pub id: CameraId,
    /// Frames delivered by its stream.
    pub frames_total: u64,
    /// Frames on which something moved.
    pub moving_frames_total: u64,
    /// Frames that the detector examined.
    pub looks_total: u64,
    /// CPU seconds of inference.
    pub inference_seconds_total: f64,
    /// Frames that the budget could not serve.
    pub shortfall_looks_total: u64,
}

/// Reasons why a state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is no state: the daemon does not run, or writes it elsewhere.
    #[error("there is no {}: the daemon does not run, or was started without --runtime-directory", path.display())]
    Absent {
        /// Its expected path.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is not a state of this version.
    #[error("{} was written by another version of wardwatch: {source}", path.display())]
    Foreign {
        /// Its path.
        path: PathBuf,
        /// The part that does not fit.
        source: serde_json::Error,
    },
}

/// Writes state and metrics into `directory`, each whole or not at all; others than the daemon may read them.
///
/// # Errors
/// The system's error; earlier files stay.
pub fn write(directory: &Path, state: &State) -> io::Result<()> {
    let text = serde_json::to_string(state).map_err(io::Error::other)?;
    replace(&directory.join(STATE), &text)?;
    replace(&directory.join(METRICS), &metrics::text(state))
}

/// Removes state and metrics, since the daemon stops.
pub fn remove(directory: &Path) {
    for name in [STATE, METRICS] {
        if let Err(error) = fs::remove_file(directory.join(name))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("{}: {error}", directory.join(name).display());
        }
    }
}

/// Reads the state in `directory`.
///
/// # Errors
/// There is no state, or none that this version understands.
pub fn read(directory: &Path) -> Result<State, StateError> {
    read_json(directory.join(STATE))
}

/// Reads a file of the daemon's.
pub(super) fn read_json<T: DeserializeOwned>(path: PathBuf) -> Result<T, StateError> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(StateError::Absent { path }),
        Err(source) => return Err(StateError::Unreadable { path, source }),
    };
    serde_json::from_str(&text).map_err(|source| StateError::Foreign { path, source })
}

/// Replaces a file in one step, so that no reader sees half of it. Every user may read it, whatever the service's umask
/// says: it holds no secret. Nothing is synced, since the file is not to outlive a power cut.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::create(&unfinished)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())?;
    drop(file);
    fs::rename(&unfinished, path)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use base::status::{CameraStatus, Presence, StoreState, StoreStatus, StreamState};
    use base::time::ClockState;
    use base::vitals::{DiskVitals, MemoryVitals};

    pub(crate) fn example() -> State {
        let at = WallTime::from_micros(1_700_000_000_000_000);
        let id = |text: &str| text.parse().unwrap();
        let camera = |name: &str, state, reason: Option<&str>| CameraStatus {
            id: name.parse().unwrap(),
            state,
            reason: reason.map(str::to_owned),
            since: at,
            notes: Vec::new(),
            input: None,
        };
        State {
            schema: SCHEMA.to_owned(),
            written_at: at,
            pid: 42,
            status: Status {
                schema: base::status::SCHEMA.to_owned(),
                presence: Presence::Online,
                ward: "ben-nghe".parse().unwrap(),
                box_id: "box-1".parse().unwrap(),
                version: "0.1.0".to_owned(),
                boot_id: "b".to_owned(),
                started_at: at,
                connection: None,
                cameras: vec![
                    camera("gate", StreamState::Live, None),
                    camera("yard", StreamState::BackingOff, Some("cannot reach it")),
                ],
                store: Some(StoreStatus { state: StoreState::Keeping, reason: None, since: at }),
                outbox_depth: 3,
                oldest_unacknowledged: Some(at),
                outbox: None,
                clock: ClockState::Synced,
                configuration_faults: Vec::new(),
                on_test: false,
            },
            vitals: Some(Vitals {
                schema: base::vitals::SCHEMA.to_owned(),
                ward: "ben-nghe".parse().unwrap(),
                box_id: "box-1".parse().unwrap(),
                at,
                seconds: 60.0,
                disk: DiskVitals {
                    free_bytes: Some(5 << 30),
                    clip_bytes: 7 << 30,
                    held_bytes: 0,
                    lost_fragments: 1,
                },
                temperature_celsius: Some(61.5),
                memory: MemoryVitals {
                    total_bytes: Some(1 << 30),
                    available_bytes: Some(1 << 29),
                    daemon_bytes: Some(60 << 20),
                },
                throttle: 1.0,
                cameras: Vec::new(),
                health: None,
                access_log: None,
            }),
            broker: BrokerState {
                address: "post.example:8883".to_owned(),
                connected: true,
                since: at,
                reason: None,
                published_total: 17,
                warnings: Vec::new(),
            },
            stills: Some(StillsState { made_total: 5, published_total: 4, ..StillsState::default() }),
            store: StoreCounts { segments: 9, lost_fragments_total: 1, ..StoreCounts::default() },
            cameras: vec![CameraCounts {
                id: id("gate"),
                frames_total: 500,
                moving_frames_total: 20,
                looks_total: 30,
                inference_seconds_total: 0.75,
                shortfall_looks_total: 2,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_not_there_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let state = example();
        assert!(matches!(read(directory.path()), Err(StateError::Absent { .. })));
        write(directory.path(), &state).unwrap();
        write(directory.path(), &state).unwrap();
        assert_eq!(read(directory.path()).unwrap(), state);
        let names = || fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(names(), 2, "nothing half-written stays");
        for file in fs::read_dir(directory.path()).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o644);
        }
        fs::write(directory.path().join(STATE), "{\"schema\":").unwrap();
        let error = read(directory.path()).unwrap_err();
        assert!(matches!(error, StateError::Foreign { .. }) && error.to_string().contains("another version"));
        remove(directory.path());
        assert_eq!(names(), 0);
    }
}
