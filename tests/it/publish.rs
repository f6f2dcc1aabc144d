//! Scenarios of `publish`, against Mosquitto and a real store.

mod home_assistant;
mod identity;
mod link;
pub mod post;
mod refusals;
mod sizes;
mod stills;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::alert::{Alert, NOT_KEPT};
use base::fault::ErrorKind;
use base::ids::OutboxId;
use base::secret::{Credentials, Secret};
use base::status::{self, CameraStatus, Presence, Status, StreamState};
use base::time::{ClockState, WallTime};
use clipstore::Store;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use wardlink::{Acknowledge, HomeAssistant, Identity, LinkState, Publisher, Settings, StatusSource, Tls};

use crate::support::broker::{BrokerOptions, BrokerTls, Subscriber, TestBroker};
use crate::support::sample::opened;
use crate::support::wait_until;

pub const LONG: Duration = Duration::from_secs(30);
pub const ALERT: &str = "wardwatch/v1/ben-nghe/box-1/alert";
const STATUS: &str = "wardwatch/v1/ben-nghe/box-1/status";

/// Status of a box that counts its readings in `outbox_depth`. Each one is another run.
#[derive(Default)]
pub struct Telling {
    count: AtomicU64,
    started_at: OnceLock<WallTime>,
}

impl StatusSource for Telling {
    fn status(&self) -> Status {
        Status {
            schema: status::SCHEMA.to_owned(),
            presence: Presence::Online,
            ward: "ben-nghe".parse().unwrap(),
            box_id: "box-1".parse().unwrap(),
            version: "0.1.0".into(),
            boot_id: "boot".into(),
            started_at: *self.started_at.get_or_init(|| {
                static RUNS: AtomicU64 = AtomicU64::new(0);
                let run = i64::try_from(RUNS.fetch_add(1, Ordering::Relaxed)).unwrap();
                WallTime::from_micros(1_777_673_643_120_000 + 1000 * run)
            }),
            connection: None,
            cameras: vec![CameraStatus {
                id: "gate".parse().unwrap(),
                state: StreamState::Live,
                reason: None,
                since: WallTime::from_micros(1_777_673_643_120_000),
                notes: Vec::new(),
                input: None,
            }],
            store: None,
            outbox_depth: self.count.fetch_add(1, Ordering::Relaxed),
            oldest_unacknowledged: None,
            outbox: None,
            clock: ClockState::Synced,
            configuration_faults: Vec::new(),
            on_test: false,
        }
    }
}

/// A store with its publisher.
pub struct Sender {
    pub publisher: Publisher,
    pub store: Store,
    _place: TempDir,
}

impl Sender {
    pub fn start(settings: Settings) -> Self {
        let place = TempDir::new().unwrap();
        let store = crate::store::open(crate::store::settings(place.path()));
        let outbox = Arc::new(store.clone());
        let publisher = Publisher::start(settings, outbox, Arc::new(Telling::default())).unwrap();
        Self { publisher, store, _place: place }
    }

    pub fn put(&self, seconds: u64) -> Alert {
        let alert = self.store.put_alert(opened("gate", Duration::from_secs(seconds))).unwrap();
        self.publisher.wake();
        alert
    }

    pub fn wait_for_connection(&self) {
        wait_until("it is connected", LONG, || {
            let state = self.state();
            assert_eq!(state.last_error, None);
            state.connected
        });
    }

    fn wait_for_error(&self) -> String {
        wait_until("there is an error", LONG, || self.state().last_error.is_some());
        assert!(!self.state().connected);
        self.state().last_error.unwrap()
    }

    pub fn state(&self) -> LinkState {
        self.publisher.state()
    }

    pub fn depth(&self) -> u64 {
        self.store.outbox_depth().unwrap().0
    }
}

/// Settings of a box that is content with the broker's acknowledgement.
pub fn settings(port: u16) -> Settings {
    Settings {
        ward: "ben-nghe".parse().unwrap(),
        box_id: "box-1".parse().unwrap(),
        host: "127.0.0.1".into(),
        port,
        tls: None,
        credentials: None,
        acknowledge: Acknowledge::Broker,
        stills: true,
        keep_alive: Duration::from_secs(5),
        home_assistant: HomeAssistant::default(),
    }
}

fn alerts(subscriber: &Subscriber) -> Vec<Alert> {
    subscriber
        .messages()
        .into_iter()
        .filter(|message| message.topic == ALERT)
        .map(|message| {
            assert!(!message.retained);
            serde_json::from_slice(&message.payload).unwrap()
        })
        .collect()
}

fn statuses(subscriber: &Subscriber) -> Vec<Status> {
    let messages = subscriber.messages().into_iter().filter(|message| message.topic == STATUS);
    messages.map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
}

#[test]
fn an_unsaved_alert_arrives_at_once_and_again_after_a_lost_connection_until_it_is_acknowledged() {
    let mut broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber(ALERT);
    let sender = Sender::start(settings(broker.port));
    sender.wait_for_connection();
    broker.save();
    broker.kill();
    wait_until("the connection is lost", LONG, || !sender.state().connected);
    let unsaved: Vec<Alert> = (0..3)
        .map(|n| opened("gate", Duration::from_secs(n)).into_alert(OutboxId::default(), NOT_KEPT))
        .collect();
    for alert in &unsaved {
        sender.publisher.send_unsaved(alert.clone());
        sender.publisher.send_unsaved(alert.clone());
    }
    sender.publisher.saved(unsaved[1].id, unsaved[1].phase);
    assert!(sender.publisher.is_sending_unsaved(unsaved[0].id, unsaved[0].phase));

    broker.run();
    wait_until("they are acknowledged", LONG, || {
        unsaved.iter().all(|alert| !sender.publisher.is_sending_unsaved(alert.id, alert.phase))
    });
    wait_until("they arrive", LONG, || alerts(&subscriber).len() >= 2);
    assert_eq!(alerts(&subscriber), [unsaved[0].clone(), unsaved[2].clone()]);
    assert_eq!(sender.state().published, 0, "nothing of it was in the outbox");
}

#[test]
fn an_alert_arrives_as_the_outbox_held_it() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let sender = Sender::start(settings(broker.port));
    sender.wait_for_connection();
    let stored: Vec<Alert> = (0..3).map(|number| sender.put(number)).collect();
    wait_until("the alerts have come", LONG, || alerts(&subscriber).len() == 3);
    assert_eq!(alerts(&subscriber), stored);
    assert_eq!(stored[0].thumbnail.as_ref().unwrap().0.len(), 24 * 1024);
    wait_until("the outbox is empty", LONG, || sender.depth() == 0);
    assert_eq!(sender.state().published, 3);
}

#[test]
fn a_broker_that_comes_late_gets_what_has_waited() {
    let mut broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber(ALERT);
    // The broker keeps the subscription, and is gone when the box starts.
    broker.save();
    broker.kill();
    let sender = Sender::start(settings(broker.port));
    let stored: Vec<Alert> = (0..40).map(|number| sender.put(number)).collect();
    let error = sender.wait_for_error();
    assert!(error.contains(&format!("127.0.0.1:{}", broker.port)) && error.contains("refused"), "{error}");
    assert_eq!(sender.depth(), 40);

    broker.run();
    wait_until("all have come", LONG, || alerts(&subscriber).len() >= 40);
    assert_eq!(alerts(&subscriber), stored, "in order");
    wait_until("the outbox is empty", LONG, || sender.depth() == 0);
}

#[test]
fn nothing_is_lost_when_the_broker_is_killed() {
    const COUNT: u64 = 200;
    let mut broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber(ALERT);
    // From here on the broker keeps the subscription over a kill.
    broker.save();
    let sender = Sender::start(settings(broker.port));
    let undelivered: HashSet<u64> = std::thread::scope(|scope| {
        let producer = scope.spawn(|| (0..COUNT).for_each(|number| drop(sender.put(number))));
        wait_until("a part is published", LONG, || sender.state().published >= 50);
        broker.kill();
        wait_until("it is noticed", LONG, || !sender.state().connected);
        producer.join().unwrap();
        // Lets the alerts leave the outbox that were acknowledged before the kill.
        wait_until("acknowledged alerts have left", LONG, || {
            sender.depth() == COUNT - sender.state().published
        });
        sender.store.outbox(0, usize::MAX).unwrap().iter().map(|alert| alert.seq).collect()
    });
    assert!(!undelivered.is_empty() && undelivered.len() < COUNT as usize, "{}", undelivered.len());

    broker.run();
    wait_until("the outbox is empty", LONG, || sender.depth() == 0);
    let came = || -> HashSet<u64> { alerts(&subscriber).iter().map(|alert| alert.seq).collect() };
    wait_until("all that was not acknowledged has come", LONG, || undelivered.is_subset(&came()));
    // An alert that the broker acknowledged and then lost itself is beyond a publisher that ends at the PUBACK.
    eprintln!("{} undelivered at the kill, {} of {COUNT} came", undelivered.len(), came().len());
}

#[test]
fn nothing_is_lost_when_the_broker_stalls() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber(ALERT);
    let sender = Sender::start(Settings { keep_alive: Duration::from_secs(1), ..settings(broker.port) });
    sender.wait_for_connection();
    broker.stall();
    let stored: Vec<Alert> = (0..40).map(|number| sender.put(number)).collect();
    wait_until("it is noticed", LONG, || !sender.state().connected);
    assert_eq!((sender.depth(), sender.state().published), (40, 0));

    broker.go_on();
    wait_until("the outbox is empty", LONG, || sender.depth() == 0);
    let seqs = |alerts: &[Alert]| alerts.iter().map(|alert| alert.seq).collect::<HashSet<_>>();
    wait_until("all have come", LONG, || seqs(&alerts(&subscriber)) == seqs(&stored));
}

#[test]
fn the_status_is_retained_and_follows_changes() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let early = broker.subscriber(STATUS);
    let sender = Sender::start(settings(broker.port));
    wait_until("it is online", LONG, || {
        statuses(&early).last().is_some_and(|last| last.presence == Presence::Online)
    });
    let first = statuses(&early).last().unwrap().outbox_depth;
    sender.publisher.status_changed();
    wait_until("the change has come", LONG, || {
        statuses(&early).last().is_some_and(|last| last.outbox_depth > first)
    });

    let late = broker.subscriber(STATUS);
    wait_until("the status is there", LONG, || statuses(&late).len() == 1);
    assert!(late.messages()[0].retained);
    assert_eq!(statuses(&late)[0].cameras.len(), 1);
}

#[test]
fn a_box_that_stops_says_so() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber(STATUS);
    let sender = Sender::start(settings(broker.port));
    wait_until("it is online", LONG, || !statuses(&subscriber).is_empty());
    let asked = statuses(&subscriber).last().unwrap().outbox_depth;
    sender.publisher.stop(LONG);
    wait_until("it is offline", LONG, || {
        statuses(&subscriber).last().is_some_and(|last| last.presence == Presence::Offline)
    });
    let last = statuses(&subscriber).pop().unwrap();
    assert!(last.outbox_depth > asked, "said by the box now, not by the will of before");
    assert!(last.cameras.is_empty());
}

#[test]
fn a_box_that_vanishes_is_offline_by_its_will() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber(STATUS);
    let sender = Sender::start(settings(broker.port));
    wait_until("it is online", LONG, || !statuses(&subscriber).is_empty());
    // The connection closes without a DISCONNECT, as when the process is killed.
    drop(sender.publisher);
    wait_until("it is offline", LONG, || {
        statuses(&subscriber).last().is_some_and(|last| last.presence == Presence::Offline)
    });
    let late = broker.subscriber(STATUS);
    wait_until("the will is retained", LONG, || {
        statuses(&late).first().is_some_and(|last| last.presence == Presence::Offline)
    });
}

#[test]
fn a_wrong_password_names_what_to_change_and_is_not_hammered() {
    let credentials =
        |password: &str| Some(Credentials { user: "box-1".into(), password: Secret::new(password.into()) });
    let options =
        BrokerOptions { password: Some(("box-1".into(), "right".into())), ..BrokerOptions::default() };
    let broker = TestBroker::start(&options);

    let sender = Sender::start(Settings { credentials: credentials("wrong"), ..settings(broker.port) });
    let error = sender.wait_for_error();
    assert!(error.contains("broker.user") && error.contains("broker.password_file"), "{error}");
    assert!(error.contains("\"box-1\"") && !error.contains("wrong"), "{error}");
    // A new alert does not make it try again at once.
    let tried = broker.connections();
    sender.put(0);
    let right = Sender::start(Settings {
        credentials: credentials("right"),
        box_id: "box-2".parse().unwrap(),
        ..settings(broker.port)
    });
    right.wait_for_connection();
    assert_eq!(broker.connections(), tried + 1);

    let nobody = Sender::start(settings(broker.port));
    let error = nobody.wait_for_error();
    assert!(error.contains("without user and password"), "{error}");
}

/// An authority and the certificates it signed; PEM files.
pub struct Authority {
    place: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let place = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name confuse OpenSSL.
        params.distinguished_name.push(DnType::CommonName, place.path().display().to_string());
        let key = KeyPair::generate().unwrap();
        fs::write(place.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { place, issuer: Issuer::new(params, key) }
    }

    pub fn ca_file(&self) -> PathBuf {
        self.place.path().join("ca.pem")
    }

    /// Certificate and key for `names`.
    pub fn sign(&self, names: &[&str]) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let file = |end: &str| self.place.path().join(format!("{}{end}", names[0]));
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(names.clone()).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs::write(file(".pem"), certificate.pem()).unwrap();
        fs::write(file(".key"), key.serialize_pem()).unwrap();
        (file(".pem"), file(".key"))
    }

    pub fn broker(&self, names: &[&str], client_ca_file: Option<PathBuf>) -> TestBroker {
        let (cert_file, key_file) = self.sign(names);
        let tls = Some(BrokerTls { cert_file, key_file, client_ca_file });
        TestBroker::start(&BrokerOptions { tls, ..BrokerOptions::default() })
    }
}

fn trusting(ca_file: &Path, port: u16) -> Settings {
    Settings { tls: Some(Tls { ca_file: ca_file.to_owned(), identity: None }), ..settings(port) }
}

#[test]
fn alerts_travel_over_tls_by_name_and_by_address() {
    let authority = Authority::new();
    let broker = authority.broker(&["localhost", "127.0.0.1"], None);
    let subscriber = broker.subscriber(ALERT);
    for (count, host) in (1..).zip(["localhost", "127.0.0.1"]) {
        let sender =
            Sender::start(Settings { host: host.into(), ..trusting(&authority.ca_file(), broker.port) });
        sender.put(0);
        wait_until("the alert has come", LONG, || alerts(&subscriber).len() == count);
        sender.publisher.stop(LONG);
    }
}

#[test]
fn alerts_travel_over_tls_to_an_ipv6_address() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let authority = Authority::new();
    let (cert_file, key_file) = authority.sign(&["::1"]);
    let tls = Some(BrokerTls { cert_file, key_file, client_ca_file: None });
    let broker = TestBroker::start(&BrokerOptions { tls, address: Some("::1"), ..BrokerOptions::default() });
    let subscriber = broker.subscriber(ALERT);
    let sender =
        Sender::start(Settings { host: "[::1]".into(), ..trusting(&authority.ca_file(), broker.port) });
    sender.put(0);
    wait_until("the alert has come", LONG, || alerts(&subscriber).len() == 1);
}

#[test]
fn a_broker_that_is_not_trusted_names_the_ca_file_or_the_name() {
    let (authority, other) = (Authority::new(), Authority::new());
    let broker = authority.broker(&["localhost"], None);
    let sender = Sender::start(trusting(&other.ca_file(), broker.port));
    let error = sender.wait_for_error();
    let ca_file = other.ca_file().display().to_string();
    assert!(error.contains("broker.ca_file") && error.contains(&ca_file), "{error}");

    let sender = Sender::start(trusting(&authority.ca_file(), broker.port));
    let error = sender.wait_for_error();
    assert!(error.contains("broker.url") && error.contains("localhost"), "{error}");

    let plain = TestBroker::start(&BrokerOptions::default());
    let sender = Sender::start(trusting(&authority.ca_file(), plain.port));
    let error = sender.wait_for_error();
    assert!(error.contains(&format!("127.0.0.1:{}", plain.port)), "{error}");
    eprintln!("TLS to a port without: {error}");
}

#[test]
fn a_broker_that_wants_a_certificate_gets_it_or_the_message_names_it() {
    let (authority, boxes) = (Authority::new(), Authority::new());
    let broker = authority.broker(&["127.0.0.1"], Some(boxes.ca_file()));
    let (cert_file, key_file) = boxes.sign(&["box-1"]);
    let with = |identity| Settings {
        tls: Some(Tls { ca_file: authority.ca_file(), identity }),
        ..settings(broker.port)
    };
    let sender = Sender::start(with(Some(Identity { cert_file, key_file })));
    sender.wait_for_connection();
    drop(sender);

    let sender = Sender::start(with(None));
    let error = sender.wait_for_error();
    assert!(error.contains("broker.cert_file"), "{error}");
}

#[test]
fn files_that_do_not_read_are_told_at_the_start() {
    let place = TempDir::new().unwrap();
    let store = crate::store::open(crate::store::settings(&place.path().join("store")));
    let start = |ca_file: &Path| {
        let outbox = Arc::new(store.clone());
        Publisher::start(trusting(ca_file, 1), outbox, Arc::new(Telling::default())).unwrap_err()
    };
    let empty = place.path().join("empty.pem");
    fs::write(&empty, b"").unwrap();
    for (file, reason) in [(place.path().join("none.pem"), "No such file"), (empty, "no certificate")] {
        let error = start(&file);
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        let named = text.contains("broker.ca_file") && text.contains(file.to_str().unwrap());
        assert!(named && text.contains(reason), "{text}");
    }
}
