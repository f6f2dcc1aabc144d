//! Made-up fragments and alerts.

use std::sync::Arc;
use std::time::Duration;

use base::alert::{AlertDraft, CameraRef, ClipRef, ModelRef, Thumbnail};
use base::event::{Event, Phase, RuleRef, Severity};
use base::fragment::{Codec, Fragment, FragmentStart, StreamFacts, TimeSource};
use base::ids::{AlertId, Epoch};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};

/// 2026-05-01T22:14:03.120Z, five seconds after boot.
pub const START: Stamp = Stamp {
    wall: WallTime::from_micros(1_777_673_643_120_000),
    monotonic: Monotonic::from_nanos(5_000_000_000),
    clock: ClockState::Synced,
};

/// Playing time of each fragment.
pub const FRAGMENT: Duration = Duration::from_secs(2);

/// The `number`th fragment of a camera: one MP4 box of `bytes` bytes, at least its head, that no other fragment has.
pub fn fragment(camera: &str, number: u32, bytes: usize) -> Fragment {
    let text = format!("{camera} {number} ");
    let since = FRAGMENT * number;
    let length = bytes.max(8);
    let head = [&u32::try_from(length).unwrap().to_be_bytes(), &b"mdat"[..]].concat();
    Fragment {
        camera: camera.parse().unwrap(),
        epoch: Epoch(0),
        init: Arc::from(&b"\0\0\0\x0fftypinitial"[..]),
        bytes: head.into_iter().chain(text.bytes().cycle().take(length - 8)).collect(),
        pts: Pts(u64::try_from(since.as_nanos()).unwrap()),
        duration: FRAGMENT,
        starts_at: START + since,
        samples: 30,
        facts: StreamFacts { codec: Codec::H264, width: 1920, height: 1080, time: TimeSource::Camera },
        start: FragmentStart::KeyFrame,
        is_break: false,
    }
}

/// An alert that opens `after` [`START`], its clip starting 5 s before, with a thumbnail of the largest size.
pub fn opened(camera: &str, after: Duration) -> AlertDraft {
    let opened_at = START + after;
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
            zone: Some("yard".parse().unwrap()),
            reason: None,
            why: "person in \"yard\" for 2.4 s (2.0 s needed)".into(),
        },
        ward: "ben-nghe".parse().unwrap(),
        box_id: "box-1".parse().unwrap(),
        camera: CameraRef {
            id: camera.parse().unwrap(),
            name: "Cổng".into(),
            lat: Some(10.776_889),
            lon: Some(106.700_806),
            heading: Some(12.5),
        },
        model: ModelRef { name: "motion".into(), sha256: None },
        clip: ClipRef {
            reference: "clip".into(),
            starts_at: opened_at.wall - Duration::from_secs(5),
            ends_at: None,
            sha256: None,
        },
        thumbnail: Some(Thumbnail((0..24 * 1024).map(|at: u32| (at * 31 % 251) as u8).collect())),
    }
}

/// The same alert, closed `after` [`START`], its clip ending 5 s later.
pub fn closed(opened: &AlertDraft, after: Duration) -> AlertDraft {
    let mut draft = opened.clone();
    let closed_at = START + after;
    draft.event.phase = Phase::Closed;
    draft.event.closed_at = Some(closed_at);
    draft.clip.ends_at = Some(closed_at.wall + Duration::from_secs(5));
    draft
}
