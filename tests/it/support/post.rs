//! A ward post that is no more than an MQTT client with a memory: it keeps alerts and acknowledges those it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base::ack::Ack;
use base::alert::{Alert, NOT_KEPT};
use base::event::Phase;
use base::ids::{AlertId, OutboxId};
use rumqttc_next::{Client, Event, Incoming, MqttOptions, PublishOptions, QoS, RecvTimeoutError};

/// An alert message as it came.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub seq: u64,
    pub id: AlertId,
    pub phase: Phase,
    pub has_thumbnail: bool,
}

/// Stand-in for the post's disk: it outlives the post.
#[derive(Default)]
pub struct Memory {
    stored: Mutex<BTreeMap<OutboxId, BTreeSet<u64>>>,
    arrivals: Mutex<Vec<Arrival>>,
}

impl Memory {
    /// Stored numbers of the only outbox that was heard of.
    pub fn stored(&self) -> BTreeSet<u64> {
        self.stored.lock().unwrap().values().next().cloned().unwrap_or_default()
    }

    /// Returns all messages that came, repetitions included.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    /// Stores a message, unless it has no number yet.
    pub fn store(&self, alert: &Alert) {
        let Alert { seq, id, phase, outbox, .. } = *alert;
        let has_thumbnail = alert.thumbnail.is_some();
        let arrival = Arrival { seq, id, phase, has_thumbnail };
        self.arrivals.lock().unwrap().push(arrival);
        if seq != NOT_KEPT {
            self.stored.lock().unwrap().entry(outbox).or_default().insert(seq);
        }
    }

    fn ack(&self, outbox: OutboxId) -> Ack {
        let stored = self.stored.lock().unwrap();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for &seq in stored.get(&outbox).into_iter().flatten() {
            match runs.last_mut() {
                Some(run) if run.1 + 1 == seq => run.1 = seq,
                _ => runs.push((seq, seq)),
            }
        }
        Ack::of("box-1".parse().unwrap(), outbox, runs)
    }
}

/// See the module. Its session is kept by the broker. When dropped, it ends without a DISCONNECT.
pub struct StandInPost {
    pub memory: Arc<Memory>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandInPost {
    /// Connects to an open port, and returns once it listens.
    pub fn start(port: u16, memory: &Arc<Memory>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (of_thread, memory_of_thread) = (Arc::clone(&is_over), Arc::clone(memory));
        let is_listening = Arc::new(AtomicU32::new(0));
        let listening = Arc::clone(&is_listening);
        let thread = std::thread::spawn(move || serve(port, &memory_of_thread, &of_thread, &listening));
        super::wait_until("the post listens", Duration::from_secs(20), || {
            is_listening.load(Ordering::Relaxed) > 0
        });
        Self { memory: Arc::clone(memory), is_over, thread: Some(thread) }
    }
}

impl Drop for StandInPost {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(port: u16, memory: &Memory, is_over: &AtomicBool, listening: &AtomicU32) {
    let mut options = MqttOptions::new("stand-in-post", ("127.0.0.1", port));
    options.set_clean_session(false).set_max_packet_size(1 << 20, 1 << 20).set_keep_alive(5);
    let (client, mut connection) = Client::builder(options).capacity(100).build();
    let mut unsaid: Option<OutboxId> = None;
    while !is_over.load(Ordering::Relaxed) {
        match connection.recv_timeout(Duration::from_millis(20)) {
            Ok(Ok(Event::Incoming(Incoming::ConnAck(_)))) => {
                client.try_subscribe("wardwatch/v1/ben-nghe/box-1/alert", QoS::AtLeastOnce).unwrap();
                // Earlier acknowledgements may have been lost.
                unsaid = memory.stored.lock().unwrap().keys().next().copied();
            }
            Ok(Ok(Event::Incoming(Incoming::SubAck(_)))) => {
                listening.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Ok(Event::Incoming(Incoming::Publish(message)))) => {
                let alert: Alert = serde_json::from_slice(&message.payload).unwrap();
                memory.store(&alert);
                unsaid = Some(alert.outbox);
                continue;
            }
            Ok(Err(_)) => std::thread::sleep(Duration::from_millis(50)),
            Err(RecvTimeoutError::Timeout { .. }) | Ok(Ok(_)) => {}
            Err(_) => return,
        }
        if let Some(outbox) = unsaid.take() {
            let ack = serde_json::to_vec(&memory.ack(outbox)).unwrap();
            let options = PublishOptions::new(QoS::AtLeastOnce).retained();
            let _ = client.try_publish("wardwatch/v1/ben-nghe/box-1/ack", ack, options);
        }
    }
}
