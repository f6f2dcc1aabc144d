//! Cost of the record path: `make bench`. Figures are for reading, not for passing.
//!
//! - `record`: real sessions, supervisors and store over RTSP cameras that another process serves, in CPU time: the
//!   box's share only;
//! - `replay`: the store alone, fed with made-up fragments at a camera's pace, and its syncs a second;
//! - `index`: bytes of the index for a camera's day;
//! - `listing`: a list of many alerts beside much footage.
//!
//! `cargo bench --bench store -- [record] [replay] [index] [listing] [--cameras 1,4,8,16] [--seconds 30] [--others]`
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::print_stderr, reason = "it says what it leaves out")]

mod cameras;
mod cpu;
mod index;
mod listing;
mod record;
mod replay;

use std::time::Duration;

/// Bit rate of each camera.
const KBIT_PER_SECOND: usize = 2000;

/// Arguments of the command line.
struct Asked {
    parts: Vec<String>,
    cameras: Vec<u32>,
    seconds: u64,
    others: bool,
}

impl Asked {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self { parts: Vec::new(), cameras: vec![1, 4, 8, 16], seconds: 30, others: false };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            match argument.as_str() {
                "--cameras" => {
                    asked.cameras = value().split(',').map(|count| count.parse().unwrap()).collect();
                }
                "--seconds" => asked.seconds = value().parse().unwrap(),
                "--others" => asked.others = true,
                part => asked.parts.push(part.to_owned()),
            }
        }
        asked
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|asked| asked == part)
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    // The two roles of this program in a process of its own.
    match arguments.next().as_deref() {
        Some(cameras::ROLE) => return cameras::serve(arguments),
        Some(replay::ROLE) => return replay::feed_until_killed(arguments),
        _ => {}
    }
    let asked = Asked::read(std::env::args().skip(1));
    let span = Duration::from_secs(asked.seconds);
    if asked.wants("index") {
        index::print();
    }
    if asked.wants("listing") {
        listing::print();
    }
    if asked.wants("replay") {
        replay::print(&asked.cameras, span);
    }
    if asked.wants("record") {
        record::print(&asked.cameras, span, asked.others);
    }
}
