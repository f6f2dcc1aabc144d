//! A real box, as far as alerts go: its store on this disk, its outbox and its publisher.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::ack::Ack;
use base::alert::{Alert, AlertDraft, CameraRef, ClipRef, ModelRef, Thumbnail};
use base::clock::{self, Clock as _, SystemClock};
use base::event::{Event, Phase, RuleRef, Severity};
use base::ids::AlertId;
use base::status::{self, Presence, Status};
use base::time::ClockState;
use clipstore::{self, Store};
use rand::RngCore as _;
use tempfile::TempDir;
use wardlink::{self, Acknowledge, Outbox, OutboxError, Publisher, StatusSource};

use crate::{PATIENCE, THUMBNAIL_BYTES, Timed};

/// Keeps and sends for `span`, `rate` alerts a second.
pub fn run(port: u16, span: Duration, rate: f64) -> Vec<Timed> {
    let place = TempDir::new().unwrap();
    let settings =
        clipstore::Settings { free_bytes_min: 0, ..clipstore::Settings::new(place.path().to_owned()) };
    let store = Store::open(settings, Arc::new(SystemClock)).unwrap();
    let outbox = Arc::new(Watched { store: store.clone(), sent: Mutex::default() });
    let settings = wardlink::Settings {
        ward: "bench".parse().unwrap(),
        box_id: "whole".parse().unwrap(),
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        credentials: None,
        acknowledge: Acknowledge::Post,
        keep_alive: Duration::from_secs(30),
        stills: false,
        home_assistant: wardlink::HomeAssistant::default(),
    };
    let publisher = Publisher::start(settings, Arc::<Watched>::clone(&outbox), Arc::new(Itself)).unwrap();
    while !publisher.state().connected {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (begun, mut number) = (Instant::now(), 0.0);
    while begun.elapsed() < span {
        let draft = draft();
        let (started, at_us) = (Instant::now(), draft.event.opened_at.wall.as_micros());
        let alert = store.put_alert(draft).unwrap();
        let one = Timed { id: alert.id.to_string(), at_us, acknowledged: None };
        outbox.sent.lock().unwrap().push((alert.seq, started, one));
        publisher.wake();
        number += 1.0;
        let next = begun + Duration::from_secs_f64(number / rate);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    while begun.elapsed() < span + PATIENCE && store.outbox_depth().unwrap().0 > 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    publisher.stop(Duration::from_secs(1));
    let sent = std::mem::take(&mut *outbox.sent.lock().unwrap());
    sent.into_iter().map(|(_, _, one)| one).collect()
}

/// The outbox, and the time of the post's word for each alert.
struct Watched {
    store: Store,
    sent: Mutex<Vec<(u64, Instant, Timed)>>,
}

impl Outbox for Watched {
    fn last(&self) -> Result<u64, OutboxError> {
        Outbox::last(&self.store)
    }

    fn waiting(&self, after_seq: u64, limit: usize) -> Result<Vec<u64>, OutboxError> {
        Outbox::waiting(&self.store, after_seq, limit)
    }

    fn alert(&self, seq: u64) -> Result<Option<Alert>, OutboxError> {
        Outbox::alert(&self.store, seq)
    }

    fn delivered(&self, seq: u64) {
        self.store.delivered(seq);
    }

    fn acknowledged(&self, ack: Ack, sent: Vec<u64>) -> Result<bool, OutboxError> {
        for (seq, started, one) in self.sent.lock().unwrap().iter_mut() {
            if one.acknowledged.is_none() && ack.covers(*seq) {
                one.acknowledged = Some(started.elapsed());
            }
        }
        Outbox::acknowledged(&self.store, ack, sent)
    }
}

struct Itself;

impl StatusSource for Itself {
    fn status(&self) -> Status {
        Status {
            connection: None,
            schema: status::SCHEMA.to_owned(),
            presence: Presence::Online,
            ward: "bench".parse().unwrap(),
            box_id: "whole".parse().unwrap(),
            version: "0.1.0".into(),
            boot_id: "boot".into(),
            started_at: clock::wall(),
            cameras: Vec::new(),
            store: None,
            outbox_depth: 0,
            oldest_unacknowledged: None,
            outbox: None,
            clock: ClockState::Synced,
            configuration_faults: Vec::new(),
            on_test: false,
        }
    }
}

fn draft() -> AlertDraft {
    let mut jpeg = vec![0; THUMBNAIL_BYTES];
    rand::rng().fill_bytes(&mut jpeg);
    let now = SystemClock.now();
    AlertDraft {
        event: Event {
            id: AlertId::new(now.wall.as_unix_millis()),
            phase: Phase::Opened,
            camera: "gate".parse().unwrap(),
            rule: RuleRef {
                id: "night".parse().unwrap(), kind: "intrusion".into(), name: "Ban đêm".into()
            },
            severity: Severity::Warning,
            opened_at: now,
            closed_at: None,
            follows: None,
            subjects: Vec::new(),
            count: 1,
            zone: Some("yard".parse().unwrap()),
            reason: None,
            why: "two-wheeler in \"yard\" for 2.4 s (2.0 s needed)".into(),
        },
        ward: "bench".parse().unwrap(),
        box_id: "whole".parse().unwrap(),
        camera: CameraRef {
            id: "gate".parse().unwrap(),
            name: "Cổng chợ Bến Nghé".into(),
            lat: Some(10.7769),
            lon: Some(106.7009),
            heading: None,
        },
        model: ModelRef { name: "street-nano".into(), sha256: None },
        clip: ClipRef { reference: "clip".into(), starts_at: now.wall, ends_at: None, sha256: None },
        thumbnail: Some(Thumbnail(jpeg)),
    }
}
