//! Simulated boxes: MQTT clients that publish alerts and read the post's acknowledgements.

use std::time::Duration;

use base::ack::Ack;
use base::alert::{Alert, Thumbnail};
use base::clock;
use base::ids::{AlertId, OutboxId};
use rand::RngCore as _;
use rumqttc_next::{AsyncClient, Event, Incoming, MqttOptions, PublishOptions, QoS};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// Size of a thumbnail in bytes, before base64.
const THUMBNAIL_BYTES: usize = 16 * 1024;
/// Alerts of a box that wait for their acknowledgement with `--rate 0`.
const UNDER_WAY_MAX: usize = 8;
/// Longest wait for the last acknowledgements.
const PATIENCE: Duration = Duration::from_secs(20);

/// An alert that was sent.
pub struct Sent {
    pub id: String,
    /// Time of opening, in microseconds since 1970.
    pub at_us: i64,
    started: Instant,
    /// Time until the post had acknowledged it.
    pub acknowledged: Option<Duration>,
}

/// Sends from `count` boxes for `span`, `rate` alerts a second each; 0 for as fast as they are acknowledged.
pub fn run(port: u16, count: u32, span: Duration, rate: f64) -> Vec<Sent> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let boxes: Vec<_> =
            (0..count).map(|number| tokio::spawn(one(port, number, count, span, rate))).collect();
        let mut sent = Vec::new();
        for one in boxes {
            sent.extend(one.await.unwrap());
        }
        sent
    })
}

async fn one(port: u16, number: u32, count: u32, span: Duration, rate: f64) -> Vec<Sent> {
    let name = format!("box-{number}");
    let mut options = MqttOptions::new(&name, ("127.0.0.1", port));
    options.set_max_packet_size(1 << 20, 1 << 20).set_inflight(100);
    let (client, mut eventloop) = AsyncClient::builder(options).capacity(1000).build();
    client.subscribe(format!("wardwatch/v1/bench/{name}/ack"), QoS::AtLeastOnce).await.unwrap();
    while !matches!(eventloop.poll().await.unwrap(), Event::Incoming(Incoming::SubAck(_))) {}

    // Boxes are out of step with each other.
    let period = if rate > 0.0 { Duration::from_secs_f64(1.0 / rate) } else { Duration::from_millis(1) };
    let start = Instant::now() + period.mul_f64(f64::from(number) / f64::from(count));
    let mut tick = interval_at(start, period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = Instant::now() + span;
    let mut sent: Vec<Sent> = Vec::new();
    let mut covered = 0;
    loop {
        let is_over = Instant::now() >= end;
        let may_send = !is_over && (rate > 0.0 || sent.len() - covered < UNDER_WAY_MAX);
        if is_over && covered == sent.len() || Instant::now() >= end + PATIENCE {
            return sent;
        }
        tokio::select! {
            event = eventloop.poll() => {
                if let Event::Incoming(Incoming::Publish(publish)) = event.unwrap() {
                    let ack: Ack = serde_json::from_slice(&publish.payload).unwrap();
                    let contiguous = ack.contiguous as usize;
                    for one in &mut sent[covered..contiguous.max(covered)] {
                        one.acknowledged = Some(one.started.elapsed());
                    }
                    covered = contiguous.max(covered);
                }
            }
            _ = tick.tick(), if may_send => {
                let started = Instant::now();
                let alert = alert(&name, sent.len() as u64 + 1);
                let payload = serde_json::to_vec(&alert).unwrap();
                let topic = format!("wardwatch/v1/bench/{name}/alert");
                client.publish(topic, payload, PublishOptions::at_least_once()).await.unwrap();
                let at_us = alert.opened_at.as_micros();
                sent.push(Sent { id: alert.id.to_string(), at_us, started, acknowledged: None });
            }
            () = sleep_until(end), if !is_over => {}
        }
    }
}

fn alert(box_id: &str, seq: u64) -> Alert {
    let now = clock::wall();
    let mut alert: Alert = serde_json::from_value(json!({
        "schema": "wardwatch.alert/1", "id": AlertId::new(now.as_unix_millis()), "seq": seq,
        "phase": "opened", "ward": "bench", "box": box_id,
        "camera": { "id": "gate", "name": "Cổng chợ Bến Nghé", "lat": 10.7769, "lon": 106.7009 },
        "rule": { "id": "night", "kind": "intrusion", "name": "Ban đêm" },
        "severity": "warning", "opened_at": now, "clock": "synced",
        "subjects": [{ "track": 4, "label": "two-wheeler", "score": 0.9, "box": [0.1, 0.2, 0.3, 0.4], "path": [] }],
        "count": 1, "zone": "yard", "why": "two-wheeler in \"yard\" for 2.4 s (2.0 s needed)",
        "model": { "name": "street-nano" }, "clip": { "ref": "clip", "starts_at": now },
    }))
    .unwrap();
    alert.opened_at = now;
    alert.outbox = OutboxId(uuid::Uuid::from_u128(1));
    let mut jpeg = vec![0; THUMBNAIL_BYTES];
    rand::rng().fill_bytes(&mut jpeg);
    alert.thumbnail = Some(Thumbnail(jpeg));
    alert
}
