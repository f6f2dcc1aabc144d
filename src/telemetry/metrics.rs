//! The box's metrics in Prometheus' text format (version 0.0.4), as node_exporter's textfile collector reads them. Names
//! follow Prometheus' conventions: base units, `_total` for counters, a state as one series per value.

use std::fmt::{Display, Write as _};

use super::state::{CameraCounts, State};
use base::status::{CameraStatus, StoreState, StreamState};
use base::time::{ClockState, WallTime};

const STREAM_STATES: [(StreamState, &str); 5] = [
    (StreamState::Connecting, "connecting"),
    (StreamState::Live, "live"),
    (StreamState::BackingOff, "backing-off"),
    (StreamState::Misconfigured, "misconfigured"),
    (StreamState::Ended, "ended"),
];
const STORE_STATES: [(StoreState, &str); 3] = [
    (StoreState::Keeping, "keeping"),
    (StoreState::Failing, "failing"),
    (StoreState::FullOfEvidence, "full-of-evidence"),
];
const CLOCK_STATES: [(ClockState, &str); 3] =
    [(ClockState::Synced, "synced"), (ClockState::Holdover, "holdover"), (ClockState::Unsynced, "unsynced")];

/// All metrics. Places are named by the labels `camera`, `ward` and `box` alone; no label says anything about a person.
pub fn text(state: &State) -> String {
    let mut out = Text(String::with_capacity(8 * 1024));
    of_the_box(&mut out, state);
    of_the_store(&mut out, state);
    of_the_cameras(&mut out, state);
    out.0
}

fn of_the_box(out: &mut Text, state: &State) {
    let (status, broker) = (&state.status, &state.broker);
    let labels = [
        ("version", status.version.as_str()),
        ("ward", status.ward.as_str()),
        ("box", status.box_id.as_str()),
    ];
    out.gauge("info", "The daemon and its box; always 1.").value(&labels, 1);
    let seconds = |at: WallTime| at.as_unix_millis() as f64 / 1e3;
    out.gauge("start_time_seconds", "When the daemon started, in Unix time.")
        .plain(seconds(status.started_at));
    out.gauge("state_time_seconds", "When these metrics were written, in Unix time.")
        .plain(seconds(state.written_at));
    out.states("clock_state", "How far the box's times can be trusted.", &CLOCK_STATES, status.clock);
    out.gauge("broker_connected", "Whether the connection to the broker stands.")
        .plain(u8::from(broker.connected));
    out.counter("alerts_published_total", "Alerts that the broker has acknowledged.")
        .plain(broker.published_total);
    out.gauge("outbox_alerts", "Alerts that wait to be delivered.").plain(status.outbox_depth);
    if let Some(oldest) = status.oldest_unacknowledged {
        out.gauge("outbox_oldest_time_seconds", "When the oldest of them opened, in Unix time.")
            .plain(seconds(oldest));
    }
    if let Some(stills) = &state.stills {
        out.counter("stills_total", "Stills that were made.").plain(stills.made_total);
        out.counter("alerts_lacking_stills_total", "Alerts that lack a still.").plain(stills.lacking_total);
        out.counter("stills_published_total", "Stills that the broker has acknowledged.")
            .plain(stills.published_total);
        out.gauge("stills_waiting", "Stills that wait to be sent.").plain(stills.waiting);
        out.gauge("stills_waiting_bytes", "Bytes of these.").plain(stills.waiting_bytes);
    }
    let Some(vitals) = &state.vitals else { return };
    if let Some(celsius) = vitals.temperature_celsius {
        out.gauge("temperature_celsius", "The warmest part of the box.").plain(celsius);
    }
    if let Some(bytes) = vitals.memory.daemon_bytes {
        out.gauge("daemon_resident_bytes", "Memory of the daemon, without its sessions.").plain(bytes);
    }
    out.gauge("inference_throttle_ratio", "The part of the detector's share that the temperature leaves.")
        .plain(vitals.throttle);
}

fn of_the_store(out: &mut Text, state: &State) {
    let store = &state.store;
    if let Some(status) = &state.status.store {
        out.states("store_state", "Whether the disk takes what it should.", &STORE_STATES, status.state);
    }
    if let Some(disk) = state.vitals.as_ref().map(|vitals| &vitals.disk) {
        if let Some(free) = disk.free_bytes {
            out.gauge("disk_free_bytes", "What the disk has left.").plain(free);
        }
        out.gauge("clip_bytes", "Footage.").plain(disk.clip_bytes);
        out.gauge("held_bytes", "Footage that is held as evidence.").plain(disk.held_bytes);
    }
    out.gauge("pinned_bytes", "Footage that alerts need.").plain(store.pinned_bytes);
    out.gauge("segments", "Clip files.").plain(store.segments);
    out.gauge("store_queue_bytes", "Footage that waits for the disk.").plain(store.queue_bytes);
    out.counter("fragments_lost_total", "Fragments that the disk did not take.")
        .plain(store.lost_fragments_total);
    out.counter("segments_removed_total", "Clip files that retention removed.")
        .plain(store.removed_segments_total);
}

fn of_the_cameras(out: &mut Text, state: &State) {
    let statuses = &state.status.cameras;
    let mut family = out.gauge("camera_state", "The worse of the states of a camera's streams.");
    for CameraStatus { id, state, .. } in statuses {
        for (one, name) in STREAM_STATES {
            family.value(&[("camera", id.as_str()), ("state", name)], u8::from(one == *state));
        }
    }
    let mut each = |name, help, value: &dyn Fn(&CameraCounts) -> f64| {
        let mut family = out.counter(name, help);
        for camera in &state.cameras {
            family.value(&[("camera", camera.id.as_str())], value(camera));
        }
    };
    each("frames_total", "Frames that came to the analysis.", &|camera| camera.frames_total as f64);
    each("moving_frames_total", "Those on which something moved.", &|camera| {
        camera.moving_frames_total as f64
    });
    each("looks_total", "Inferences.", &|camera| camera.looks_total as f64);
    each("inference_seconds_total", "CPU seconds of the inferences.", &|camera| {
        camera.inference_seconds_total
    });
    each("shortfall_looks_total", "Inferences that were needed and not served.", &|camera| {
        camera.shortfall_looks_total as f64
    });
}

/// The text as it grows.
struct Text(String);

/// One metric, to which series are added.
struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Text {
    fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "counter")
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &str) -> Family<'_> {
        let _ = write!(self.0, "# HELP wardwatch_{name} {help}\n# TYPE wardwatch_{name} {kind}\n");
        Family { text: &mut self.0, name }
    }

    fn states<S: PartialEq + Copy>(
        &mut self,
        name: &'static str,
        help: &str,
        all: &[(S, &'static str)],
        is: S,
    ) {
        let mut family = self.gauge(name, help);
        for (state, label) in all {
            family.value(&[("state", label)], u8::from(*state == is));
        }
    }
}

impl Family<'_> {
    fn plain(&mut self, value: impl Display) {
        self.value(&[], value);
    }

    fn value(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "wardwatch_{}", self.name);
        let mut before = '{';
        for (label, text) in labels {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{label}=\"{text}\"");
            before = ',';
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::state::tests::example;
    use super::*;

    #[test]
    fn every_series_belongs_to_a_family_that_is_told_once() {
        let text = text(&example());
        let mut families = BTreeSet::new();
        let mut series = BTreeSet::new();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(families.insert(name.to_owned()), "{name} twice");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
                family = name.to_owned();
            } else if !line.starts_with('#') {
                let (key, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                assert_eq!(key.split('{').next().unwrap(), family, "{line}");
                assert!(series.insert(key.to_owned()), "{key} twice");
            }
        }
        assert!(text.ends_with('\n'));
        for wanted in [
            "wardwatch_camera_state{camera=\"gate\",state=\"live\"} 1",
            "wardwatch_camera_state{camera=\"yard\",state=\"live\"} 0",
            "wardwatch_camera_state{camera=\"yard\",state=\"backing-off\"} 1",
            "wardwatch_outbox_alerts 3",
            "wardwatch_inference_seconds_total{camera=\"gate\"} 0.75",
            "wardwatch_fragments_lost_total 1",
            "wardwatch_info{version=\"0.1.0\",ward=\"ben-nghe\",box=\"box-1\"} 1",
        ] {
            assert!(text.lines().any(|line| line == wanted), "{wanted} is missing in\n{text}");
        }
    }
}
