//! Time that an alert takes from a box to the ward post's disk, and back: `make bench-alerts`. Figures are for reading,
//! not for passing.
//!
//! Mosquitto, `wardpost serve` and `wardpost tail` run as processes of their own; each simulated box is an MQTT client
//! that publishes alerts with a thumbnail, at a rate, and reads its acknowledgements. All on one clock.
//!
//! The last line is of a real box: its store, on this disk, and its publisher.
//!
//! - `received`: from the alert's stamp until the post has it in hand;
//! - `stored`: until the box knows that it is on the post's disk, so the way back included;
//! - `shown`: until `wardpost tail` has printed its line.
//!
//! `cargo bench --bench alerts -- [--boxes 1,10,100] [--seconds 20] [--rate 1]`; with `--rate 0` each box sends as fast as
//! it is acknowledged, eight at a time.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints a table")]

mod boxes;
mod station;
#[cfg(feature = "box")]
mod whole;

use std::collections::HashMap;
use std::time::Duration;

use station::Station;

/// Size of a real box's thumbnail in bytes, before base64: as [`boxes`] has it.
#[cfg(feature = "box")]
const THUMBNAIL_BYTES: usize = 16 * 1024;
/// Longest wait for the last acknowledgements.
#[cfg(feature = "box")]
const PATIENCE: Duration = Duration::from_secs(20);

/// An alert that was sent.
struct Timed {
    id: String,
    /// Time of opening, in microseconds since 1970.
    at_us: i64,
    /// Time until the box knew that the post has it.
    acknowledged: Option<Duration>,
}

/// Settings from the command line.
struct Asked {
    boxes: Vec<u32>,
    seconds: u64,
    rate: f64,
}

impl Asked {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self { boxes: vec![1, 10, 100], seconds: 20, rate: 1.0 };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            match argument.as_str() {
                "--boxes" => asked.boxes = value.split(',').map(|count| count.parse().unwrap()).collect(),
                "--seconds" => asked.seconds = value.parse().unwrap(),
                "--rate" => asked.rate = value.parse().unwrap(),
                other => panic!("{other}: give --boxes 1,10,100, --seconds 20 or --rate 1"),
            }
        }
        asked
    }
}

fn main() {
    let asked = Asked::read(std::env::args().skip(1));
    let head = [
        "boxes",
        "alerts",
        "alerts/s",
        "lost",
        "",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "post CPU ms/alert",
    ];
    print_row(&head.map(str::to_owned));
    for &count in &asked.boxes {
        let station = Station::start();
        let cpu_before = station.cpu();
        let sent = boxes::run(station.port, count, Duration::from_secs(asked.seconds), asked.rate);
        let sent: Vec<Timed> = sent
            .into_iter()
            .map(|sent| Timed { id: sent.id, at_us: sent.at_us, acknowledged: sent.acknowledged })
            .collect();
        let cpu = station.cpu().saturating_sub(cpu_before);
        print_run(&count.to_string(), &sent, &station, cpu);
    }
    #[cfg(feature = "box")]
    {
        println!("through the box's own store and publisher:");
        let station = Station::start();
        let cpu_before = station.cpu();
        let rate = if asked.rate > 0.0 { asked.rate } else { 20.0 };
        let sent = whole::run(station.port, Duration::from_secs(asked.seconds), rate);
        let cpu = station.cpu().saturating_sub(cpu_before);
        print_run("1", &sent, &station, cpu);
    }
}

fn print_run(count: &str, sent: &[Timed], station: &Station, cpu: Duration) {
    let received = station.received();
    station.wait_for_shown(received.len());
    let shown: HashMap<String, i64> = station.shown();
    let micros_until = |ends: &HashMap<String, i64>| -> Vec<f64> {
        let span = |sent: &Timed| ends.get(&sent.id).map(|at| (at - sent.at_us) as f64 / 1e3);
        sent.iter().filter_map(span).collect()
    };
    let stored: Vec<f64> =
        sent.iter().filter_map(|sent| sent.acknowledged.map(|span| span.as_secs_f64() * 1e3)).collect();
    let lost = sent.iter().filter(|sent| !received.contains_key(&sent.id)).count();
    let first = sent.iter().map(|sent| sent.at_us).min().unwrap_or(0);
    let last = received.values().max().copied().unwrap_or(first + 1);
    let per_second = received.len() as f64 / ((last - first) as f64 / 1e6);
    let spans = [("received", micros_until(&received)), ("stored", stored), ("shown", micros_until(&shown))];
    for (at, (name, spans)) in spans.into_iter().enumerate() {
        let mut row = match at {
            0 => {
                vec![count.to_owned(), sent.len().to_string(), format!("{per_second:.1}"), lost.to_string()]
            }
            _ => vec![String::new(); 4],
        };
        row.push(name.to_owned());
        row.extend(percentiles(spans));
        if at == 0 {
            row.push(format!("{:.2}", cpu.as_secs_f64() * 1e3 / received.len().max(1) as f64));
        }
        print_row(&row);
    }
}

fn percentiles(mut spans: Vec<f64>) -> [String; 4] {
    spans.sort_by(f64::total_cmp);
    [0.5, 0.95, 0.99, 1.0].map(|part| {
        let at = (spans.len() as f64 * part).ceil() as usize;
        spans.get(at.saturating_sub(1)).map_or("-".to_owned(), |span| format!("{span:.1}"))
    })
}

fn print_row(cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>9}")).collect();
    println!("{}", cells.join(" "));
}
