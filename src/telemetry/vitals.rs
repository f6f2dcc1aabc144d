//! The telemetry thread: sends the box's vitals to the post once a minute, writes its state for an operator at the box,
//! and passes its temperature to the inference budget.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::registry::StatusRegistry;
use crate::alerts::stills::StillCounts;
use crate::config;
use crate::infer::{Count, Counts};
use crate::telemetry::state::{self, BrokerState, CameraCounts, State, StillsState, StoreCounts};
use base::channel;
use base::clock::{self, Clock as _, SystemClock};
use base::ids::{BoxId, CameraId, WardId};
use base::progress::{self, WORK_MAX};
use base::status::StreamState;
use base::time::Monotonic;
use base::vitals::{AccessLogVitals, CameraVitals, DiskVitals, HealthVitals, MemoryVitals, SCHEMA, Vitals};
use clipstore::access::{LogEnd, LogEndReader};
use clipstore::{Store, StoreVitals};
use program::systemd;
use wardlink::{Publisher, StatusSource as _, certificate_ends_at};

/// Interval at which the temperature is taken and the state written.
const TICK: Duration = Duration::from_secs(state::INTERVAL_SECONDS);
/// Ticks between two messages; the first message goes out after one.
const TICKS: u64 = 12;

/// The telemetry thread.
pub struct Telemetry {
    /// Dropped to end the thread.
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    publisher: Arc<Mutex<Option<Arc<Publisher>>>>,
    /// Directory of the state; `None` to write none.
    directory: Option<PathBuf>,
}

/// The sampler: data of the telemetry thread.
struct Sampler {
    ward: WardId,
    box_id: BoxId,
    store: Store,
    counts: Counts,
    stills: Option<Arc<StillCounts>>,
    last: (Monotonic, BTreeMap<CameraId, Count>),
    link: wardlink::Settings,
    limits: clipstore::Settings,
    registry: Arc<StatusRegistry>,
    access_log: LogEndReader,
    /// The vitals last sent to the post.
    vitals: Option<Vitals>,
    /// Reason why the state could not be written, as it was logged.
    trouble: Option<String>,
}

impl Telemetry {
    /// Starts the thread that samples and reports. An error: the system has no thread left.
    pub fn start(
        settings: &config::Settings,
        store: Store,
        counts: Counts,
        stills: Option<Arc<StillCounts>>,
        publisher: Arc<Publisher>,
        registry: Arc<StatusRegistry>,
        directory: Option<PathBuf>,
    ) -> std::io::Result<Self> {
        let (end, ended) = channel::blocking(1);
        let publisher = Arc::new(Mutex::new(Some(publisher)));
        let receiver = publisher.clone();
        let mut sampler = Sampler {
            ward: settings.ward.clone(),
            box_id: settings.box_id.clone(),
            store,
            counts,
            stills,
            last: (clock::monotonic(), BTreeMap::new()),
            link: settings.broker.clone(),
            limits: settings.store.clone(),
            registry,
            access_log: LogEndReader::new(&settings.store.directory),
            vitals: None,
            trouble: None,
        };
        let state_directory = directory.clone();
        let thread = std::thread::Builder::new().name("vitals".into()).spawn(move || {
            let mut tick = 0;
            let _unit = progress::begin("the vitals", WORK_MAX);
            while progress::wait(|| ended.recv_timeout(TICK)) == Err(RecvTimeoutError::Timeout) {
                let celsius = warmest(Path::new("/sys/class/thermal"));
                let throttle = sampler.counts.feel(celsius);
                if tick % TICKS == 0 {
                    let vitals = sampler.take(celsius, throttle);
                    say_shortfall(&vitals);
                    sampler.vitals = Some(vitals.clone());
                    if let Some(publisher) = &*receiver.lock() {
                        publisher.vitals(vitals);
                    }
                }
                tick += 1;
                systemd::status(&sampler.summary());
                let publisher = receiver.lock().clone();
                if let (Some(directory), Some(publisher)) = (&state_directory, publisher) {
                    sampler.write_state(directory, &publisher);
                }
            }
        })?;
        Ok(Self { end: Some(end), thread: Some(thread), publisher, directory })
    }

    /// Ends the thread, and waits for it.
    pub fn stop(&mut self) {
        self.end = None;
        *self.publisher.lock() = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the telemetry thread panicked");
        }
        if let Some(directory) = &self.directory {
            state::remove(directory);
        }
    }
}

impl Sampler {
    /// The vitals since the last ones.
    fn take(&mut self, temperature_celsius: Option<f32>, throttle: f64) -> Vitals {
        let (now, counts) = (clock::monotonic(), self.counts.all());
        let (since, before) = std::mem::replace(&mut self.last, (now, counts));
        let seconds = now.since(since).as_secs_f64().max(1e-3);
        let store = self.store.vitals();
        let camera = |(id, count): (&CameraId, &Count)| {
            // A camera that was started anew counts from the start.
            let earlier = before.get(id).filter(|earlier| earlier.frames <= count.frames).copied();
            of_camera(id, &earlier.unwrap_or_default(), count, seconds)
        };
        Vitals {
            schema: SCHEMA.to_owned(),
            ward: self.ward.clone(),
            box_id: self.box_id.clone(),
            at: clock::wall(),
            seconds,
            disk: DiskVitals {
                free_bytes: store.free_bytes,
                clip_bytes: store.clip_bytes,
                held_bytes: store.held_bytes,
                lost_fragments: store.lost_fragments + store.refused_fragments,
            },
            temperature_celsius,
            memory: memory(),
            throttle,
            cameras: self.last.1.iter().map(camera).collect(),
            health: Some(self.health(&store)),
            access_log: self
                .access_log
                .read()
                .ok()
                .map(|LogEnd { lines, sha256 }| AccessLogVitals { lines, sha256 }),
        }
    }

    /// Facts by which the post judges the box.
    fn health(&self, store: &StoreVitals) -> HealthVitals {
        let now = SystemClock.now();
        let (outbox_depth, oldest_unacknowledged) = self.store.outbox_depth().unwrap_or_default();
        HealthVitals {
            clock: now.clock,
            outbox_depth,
            oldest_unacknowledged,
            // Read anew each time: a certificate may be renewed in place. A file that does not read is the publisher's to report.
            certificate_ends_at: certificate_ends_at(&self.link).unwrap_or_default(),
            free_bytes_min: self.limits.free_bytes_min,
            footage_days: store.removed_until.map(|until| days(now.wall.since(until))),
            footage_days_min: days(self.limits.clip_age_min),
        }
    }

    /// One line for `systemctl status`.
    fn summary(&self) -> String {
        let status = self.registry.status();
        let live = status.cameras.iter().filter(|camera| camera.state == StreamState::Live).count();
        let faults = match status.configuration_faults.len() {
            0 => String::new(),
            _ => "; the configuration has faults: wardwatch status".to_owned(),
        };
        format!(
            "{live} of {} cameras live, {} alerts wait{faults}",
            status.cameras.len(),
            status.outbox_depth
        )
    }

    /// The stills, where the box makes some.
    fn stills(&self, published_total: u64) -> Option<StillsState> {
        let counts = self.stills.as_ref()?;
        let (waiting, waiting_bytes) = self.store.stills_depth().unwrap_or_default();
        let (made_total, lacking_total) = (counts.made(), counts.lacking());
        Some(StillsState { made_total, lacking_total, published_total, waiting, waiting_bytes })
    }

    fn write_state(&mut self, directory: &Path, publisher: &Publisher) {
        let (link, store) = (publisher.state(), self.store.vitals());
        let state = State {
            schema: state::SCHEMA.to_owned(),
            written_at: clock::wall(),
            pid: std::process::id(),
            status: self.registry.status(),
            vitals: self.vitals.clone(),
            broker: BrokerState {
                address: format!("{}:{}", self.link.host, self.link.port),
                connected: link.connected,
                since: link.since,
                reason: link.last_error,
                published_total: link.published,
                warnings: link.warnings,
            },
            store: StoreCounts {
                segments: store.segments,
                pinned_bytes: store.pinned_bytes,
                queue_bytes: store.queue_bytes,
                lost_fragments_total: store.lost_fragments + store.refused_fragments,
                removed_segments_total: store.removed_segments,
            },
            stills: self.stills(link.stills_published),
            cameras: self.counts.all().iter().map(|(id, count)| counts_of(id, count)).collect(),
        };
        let trouble = state::write(directory, &state).err().map(|error| error.to_string());
        if let Some(trouble) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            tracing::warn!("the box's state cannot be written to {}: {trouble}", directory.display());
        }
        self.trouble = trouble;
    }
}

/// Days, to a tenth.
fn days(span: Duration) -> f64 {
    (span.as_secs_f64() / 8640.0).round() / 10.0
}

fn counts_of(id: &CameraId, count: &Count) -> CameraCounts {
    CameraCounts {
        id: id.clone(),
        frames_total: count.frames,
        moving_frames_total: count.moving,
        looks_total: count.tally.inferences,
        inference_seconds_total: count.tally.cpu.as_secs_f64(),
        shortfall_looks_total: count.tally.short,
    }
}

fn of_camera(id: &CameraId, before: &Count, now: &Count, seconds: f64) -> CameraVitals {
    let frames = (now.frames - before.frames) as f64;
    let moving = now.moving.saturating_sub(before.moving) as f64;
    let (tally, earlier) = (&now.tally, &before.tally);
    let a_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    let spent = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64() / seconds;
    CameraVitals {
        id: id.clone(),
        fps: frames / seconds,
        motion: if frames > 0.0 { moving / frames } else { 0.0 },
        looks_per_second: a_second(tally.inferences, earlier.inferences),
        inference: spent(tally.cpu, earlier.cpu),
        shortfall_looks_per_second: a_second(tally.short, earlier.short),
        shortfall: spent(tally.short_cpu, earlier.short_cpu),
    }
}

/// Logs one line while the budget does not serve all inferences that are wanted.
fn say_shortfall(vitals: &Vitals) {
    let short: Vec<String> = vitals
        .cameras
        .iter()
        .filter(|camera| camera.shortfall_looks_per_second > 0.05)
        .map(|camera| {
            let CameraVitals { id, looks_per_second, shortfall_looks_per_second, .. } = camera;
            format!("{id} {shortfall_looks_per_second:.1} beside {looks_per_second:.1}")
        })
        .collect();
    if !short.is_empty() {
        let throttle = vitals.throttle * 100.0;
        tracing::info!(
            "the inference budget is too small; inferences a second that it could not serve: {} (share at {throttle:.0} %)",
            short.join(", ")
        );
    }
}

/// The highest temperature below `folder`, which is laid out as /sys/class/thermal is. Values outside of -40 to 150 °C
/// are ignored.
fn warmest(folder: &Path) -> Option<f32> {
    let zones = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let zones = zones.filter(|zone| zone.file_name().to_string_lossy().starts_with("thermal_zone"));
    let celsius = |zone: fs::DirEntry| {
        let text = fs::read_to_string(zone.path().join("temp")).ok()?;
        text.trim().parse::<f32>().ok().map(|millis| millis / 1000.0)
    };
    zones.filter_map(celsius).filter(|celsius| (-40.0..=150.0).contains(celsius)).max_by(f32::total_cmp)
}

fn memory() -> MemoryVitals {
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib * 1024)
    };
    let of_machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of_daemon = fs::read_to_string("/proc/self/status").unwrap_or_default();
    MemoryVitals {
        total_bytes: value(&of_machine, "MemTotal:"),
        available_bytes: value(&of_machine, "MemAvailable:"),
        daemon_bytes: value(&of_daemon, "VmRSS:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analysis::budget::Tally;

    #[test]
    fn the_warmest_zone_counts_and_nonsense_does_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(warmest(&folder.path().join("missing")), None);
        for (zone, text) in [
            ("thermal_zone0", "61500\n"),
            ("thermal_zone1", "48000"),
            ("thermal_zone2", "655350"),
            ("cooling_device0", "90000"),
        ] {
            fs::create_dir(folder.path().join(zone)).unwrap();
            fs::write(folder.path().join(zone).join("temp"), text).unwrap();
        }
        assert_eq!(warmest(folder.path()), Some(61.5));
    }

    #[test]
    fn rates_are_those_since_the_last_vitals() {
        let count = |frames, moving, inferences, short| {
            let cpu = Duration::from_millis(10 * inferences);
            let tally = Tally {
                wanted: inferences + short,
                inferences,
                short,
                cpu,
                short_cpu: Duration::from_millis(20 * short),
            };
            Count { frames, moving, inferences, tally }
        };
        let id: CameraId = "gate".parse().unwrap();
        let vitals = of_camera(&id, &count(100, 50, 40, 10), &count(400, 125, 100, 130), 60.0);
        assert_eq!((vitals.fps, vitals.motion, vitals.looks_per_second), (5.0, 0.25, 1.0));
        assert!((vitals.inference - 0.01).abs() < 1e-9 && (vitals.shortfall - 0.04).abs() < 1e-9);
        assert_eq!(vitals.shortfall_looks_per_second, 2.0);
        let memory = memory();
        assert!(
            memory.total_bytes > memory.available_bytes && memory.daemon_bytes > Some(1 << 20),
            "{memory:?}"
        );
    }
}
