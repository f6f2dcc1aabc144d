//! Simulated boxes: MQTT clients that publish alerts, each with an outbox and numbers of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base::ids::AlertId;
use base::time::WallTime;
use rumqttc_next::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::wait_until;
use crate::post::thumbnail;

/// A rule, as an alert names it.
pub struct Rule {
    pub id: &'static str,
    pub kind: &'static str,
    pub name: &'static str,
    pub severity: &'static str,
}

pub const NIGHT: Rule = Rule { id: "night", kind: "intrusion", name: "Ban đêm", severity: "warning" };
pub const CROWD: Rule =
    Rule { id: "crowd", kind: "crowd", name: "Tụ tập đông người", severity: "critical" };
pub const STOPPED: Rule =
    Rule { id: "stopped", kind: "stopped_vehicle", name: "Dừng đỗ", severity: "notice" };
/// Rules of which alerts come in turn.
pub const RULES: [Rule; 3] = [NIGHT, CROWD, STOPPED];

/// Boxes with a connection each.
pub struct Boxes {
    clients: Vec<AsyncClient>,
    /// Alerts that each has sent.
    numbers: Vec<u64>,
    /// All alerts, in the order of sending.
    pub sent: Vec<AlertId>,
    acknowledged: Arc<AtomicUsize>,
    picture: Value,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Boxes {
    /// Connects so many boxes to the broker.
    pub fn start(port: u16, count: usize) -> Self {
        let (connected, acknowledged) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (clients, loops): (Vec<_>, Vec<_>) = (0..count)
            .map(|number| {
                let mut options = MqttOptions::new(format!("box-{number}"), ("127.0.0.1", port));
                options.set_max_packet_size(1 << 20, 1 << 20).set_inflight(100);
                AsyncClient::builder(options).capacity(10_000).build()
            })
            .unzip();
        let (stop, stopped) = oneshot::channel();
        let counters = (Arc::clone(&connected), Arc::clone(&acknowledged));
        let thread = std::thread::spawn(move || run(loops, &counters, stopped));
        wait_until("all boxes are connected", || connected.load(Ordering::Relaxed) == count);
        Self {
            clients,
            numbers: vec![0; count],
            sent: Vec::new(),
            acknowledged,
            picture: thumbnail(0),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Sends an alert of a box.
    pub fn send(&mut self, number: usize, camera: &str, rule: &Rule, opened_at: WallTime) {
        self.numbers[number] += 1;
        let id = AlertId::new(opened_at.as_unix_millis());
        let message = json!({
            "schema": "wardwatch.alert/1", "id": id, "seq": self.numbers[number], "phase": "opened",
            "outbox": format!("6f1c1f5e-2f0f-4d0f-8a5e-{number:012x}"), "ward": "ben-nghe",
            "box": format!("box-{number}"),
            "camera": { "id": camera, "name": format!("Cổng chợ Bến Thành {number}, {camera}") },
            "rule": { "id": rule.id, "kind": rule.kind, "name": rule.name }, "severity": rule.severity,
            "opened_at": opened_at, "clock": "synced", "subjects": [], "count": 1,
            "why": "person in \"yard\" for 2.4 s (2.0 s needed)",
            "reason": { "code": "in-zone", "place": "Sân chợ", "numbers": { "seconds": 2.4, "seconds_needed": 2.0 } },
            "model": { "name": "street-nano" }, "clip": { "ref": "c", "starts_at": opened_at },
            "thumbnail": self.picture,
        });
        let topic = format!("wardwatch/v1/ben-nghe/box-{number}/alert");
        let options = PublishOptions::at_least_once();
        self.clients[number].try_publish(topic, message.to_string().into_bytes(), options).unwrap();
        self.sent.push(id);
    }

    /// Waits until the broker has all alerts.
    pub fn drain(&self) {
        wait_until("the broker has all alerts", || {
            self.acknowledged.load(Ordering::Relaxed) >= self.sent.len()
        });
    }
}

impl Drop for Boxes {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Its panic is printed already.
            let _ = thread.join();
        }
    }
}

fn run(
    loops: Vec<EventLoop>,
    counters: &(Arc<AtomicUsize>, Arc<AtomicUsize>),
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for one in loops {
            tokio::spawn(talk(one, Arc::clone(&counters.0), Arc::clone(&counters.1)));
        }
        // The sender is dropped at the end.
        let _ = stopped.await;
    });
}

async fn talk(mut events: EventLoop, connected: Arc<AtomicUsize>, acknowledged: Arc<AtomicUsize>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => connected.fetch_add(1, Ordering::Relaxed),
            Ok(Event::Incoming(Incoming::PubAck(_))) => acknowledged.fetch_add(1, Ordering::Relaxed),
            Ok(_) => continue,
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
    }
}
