//! Fragments and alerts for the unit tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::alert::{AlertDraft, CameraRef, ClipRef, ModelRef, Thumbnail};
use base::event::{Event, Phase, RuleRef, Severity};
use base::fragment::{Codec, Fragment, FragmentStart, StreamFacts, TimeSource};
use base::ids::{AlertId, Epoch};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};

/// 2026-05-01T22:14:03.120Z.
pub(super) const START: Stamp = Stamp {
    wall: WallTime::from_micros(1_777_673_643_120_000),
    monotonic: Monotonic::from_nanos(5_000_000_000),
    clock: ClockState::Synced,
};

/// Time within which a condition comes true.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition.
pub(super) fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The `number`th fragment of two seconds of a camera.
pub(super) fn fragment(camera: &str, number: u64) -> Fragment {
    let duration = Duration::from_secs(2);
    let since = duration * u32::try_from(number).unwrap();
    Fragment {
        camera: camera.parse().unwrap(),
        epoch: Epoch(0),
        init: Arc::from(&b"\0\0\0\x0cftypinit"[..]),
        bytes: mdat(&format!("fragment {number} of {camera}")).into(),
        pts: Pts(u64::try_from(since.as_nanos()).unwrap()),
        duration,
        starts_at: START + since,
        samples: 30,
        facts: StreamFacts { codec: Codec::H264, width: 1920, height: 1080, time: TimeSource::Camera },
        start: FragmentStart::KeyFrame,
        is_break: false,
    }
}

fn mdat(content: &str) -> Vec<u8> {
    let length = u32::try_from(8 + content.len()).unwrap();
    [&length.to_be_bytes(), &b"mdat"[..], content.as_bytes()].concat()
}

/// An alert that opens a second after [`START`].
pub(super) fn draft(camera: &str) -> AlertDraft {
    let opened_at = START + Duration::from_secs(1);
    AlertDraft {
        event: Event {
            id: AlertId::new(opened_at.wall.as_unix_millis()),
            phase: Phase::Opened,
            camera: camera.parse().unwrap(),
            rule: RuleRef { id: "night".parse().unwrap(), kind: "intrusion".into(), name: "Đêm".into() },
            severity: Severity::Warning,
            opened_at,
            closed_at: None,
            follows: None,
            subjects: Vec::new(),
            count: 1,
            zone: None,
            why: "a test".into(),
            reason: None,
        },
        ward: "ben-nghe".parse().unwrap(),
        box_id: "box-1".parse().unwrap(),
        camera: CameraRef {
            id: camera.parse().unwrap(),
            name: "Cổng".into(),
            lat: Some(10.776_889),
            lon: None,
            heading: None,
        },
        model: ModelRef { name: "motion".into(), sha256: None },
        clip: ClipRef { reference: "x".into(), starts_at: START.wall, ends_at: None, sha256: None },
        thumbnail: Some(Thumbnail(vec![0xff, 0xd8, 0xff])),
    }
}
