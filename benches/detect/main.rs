//! What looking costs: `make bench-detect`. Figures are for reading, not for passing.
//!
//! - `inference`: each network that is there, by the box's kernels, by tract alone and by onnxruntime, in turns.
//!
//! `cargo bench --bench detect -- [--part inference] [--runs 20]`
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::print_stderr, reason = "it says what it leaves out")]

mod inference;

/// What was asked for on the command line.
struct Asked {
    parts: Vec<String>,
    runs: usize,
}

impl Asked {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self { parts: Vec::new(), runs: 20 };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            match argument.as_str() {
                "--part" => asked.parts.push(value),
                "--runs" => asked.runs = value.parse().unwrap(),
                unknown => panic!("{unknown}: give --part inference or --runs COUNT"),
            }
        }
        asked
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|asked| asked == part)
    }
}

fn main() {
    let asked = Asked::read(std::env::args().skip(1));
    if asked.wants("inference") {
        inference::print(asked.runs);
    }
}
