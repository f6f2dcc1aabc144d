//! Cost of detection, and its misses: `make bench-detect`. Figures are for reading, not for passing.
//!
//! - `gate`: the motion gate, condition by condition: the part of the moving subjects that it covers, its regions on quiet
//!   streets, and its CPU time a picture;
//! - `idle`: the saving of decoding key frames only while nothing moves on a 1080p stream;
//! - `inference`: each network that is there, by the product's kernels, by tract alone and by onnxruntime, in turns;
//! - `pipeline`: the gate, regions and the budget on real footage, against inference on every whole frame.
//!
//! `cargo bench --bench detect -- [--part NAME] [...]`; each part's comment lists its arguments.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::print_stderr, reason = "it says what it leaves out")]

#[path = "../store/cameras.rs"]
mod cameras;
mod conditions;
#[expect(dead_code, reason = "shared with the store's bench, which measures memory too")]
#[path = "../store/cpu.rs"]
mod cpu;
mod gate;
mod idle;
mod inference;
mod pipeline;
mod python;

/// Bit rate of each camera's main stream.
const KBIT_PER_SECOND: usize = 2000;

fn main() {
    let mut arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // The role that this program plays for itself in a process of its own.
    if arguments.first().is_some_and(|role| role == cameras::ROLE) {
        return cameras::serve(arguments.into_iter().skip(1));
    }
    let at = arguments.iter().position(|argument| argument == "--part");
    let part =
        at.map(|at| arguments.drain(at..(at + 2).min(arguments.len())).next_back().unwrap_or_default());
    match part.as_deref() {
        None => {
            gate::print(None);
            idle::run([].into_iter());
            inference::run([].into_iter());
            pipeline::run([].into_iter());
        }
        Some("gate") => gate::print(arguments.first().map(String::as_str)),
        Some("idle") => idle::run(arguments.into_iter()),
        Some("inference") => inference::run(arguments.into_iter()),
        Some("pipeline") => pipeline::run(arguments.into_iter()),
        Some(part) => panic!("there is no part {part}: name gate, idle, inference or pipeline"),
    }
}
