//! One inference by the product's kernels, by tract alone, and by onnxruntime on one thread: the same file, the same input, in
//! turns, in CPU time; and the difference of their outputs.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use detector::{Kernels, Manifest, Model, Source};
use rustix::time::{ClockId, clock_gettime};

use crate::python::python;

/// Prints a line for each network of the project and of `../shared/models`: `[--runs 20]`.
pub fn run(mut arguments: impl Iterator<Item = String>) {
    let mut runs = 20;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--runs" => runs = arguments.next().unwrap_or_default().parse().unwrap(),
            unknown => panic!("{unknown}: give --runs COUNT"),
        }
    }
    let python =
        python("detect").inspect_err(|why| eprintln!("without onnxruntime, which cannot be had: {why}")).ok();
    println!(
        "one inference, CPU ms (min, median of {runs}), one thread, in turns; difference: largest of any output"
    );
    println!(
        "{:<26} {:>15} {:>15} {:>15} {:>6} {:>10} {:>10}",
        "network", "ours", "tract", "onnxruntime", "ratio", "to tract", "to onnxrt"
    );
    let networks = networks();
    assert!(!networks.is_empty(), "there is a network");
    for source in networks {
        print_one(source, python.as_deref(), runs);
    }
}

fn print_one(source: Source, python: Option<&Path>, runs: usize) {
    let name = source.manifest.name.clone();
    let weights = source.weights.clone();
    let ours = Model::from_source(source.clone(), Kernels::Own).unwrap();
    let tract = Model::from_source(source, Kernels::Tract).unwrap();
    let size = ours.input_sizes()[0];
    let input = noise(3 * size.width * size.height);
    let folder = tempfile::tempdir().unwrap();
    let outputs =
        |model: &Model| model.outputs(model.prepared(size, &input).unwrap()).unwrap().values().concat();
    let (by_ours, by_tract) = (outputs(&ours), outputs(&tract));
    let mut reference = python.map(|python| Reference::start(python, &weights, &input, folder.path()));
    let by_reference = reference.as_ref().map(|reference| reference.outputs.clone());
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..runs {
        for (model, times) in [&ours, &tract].into_iter().zip(&mut times) {
            let prepared = model.prepared(size, &input).unwrap();
            times.push(timed(|| model.outputs(prepared).unwrap()));
        }
        times[2].extend(reference.as_mut().map(Reference::run));
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let apart = |other: Option<Vec<f32>>| {
        other.map_or("-".to_owned(), |other| format!("{:.1e}", apart(&by_ours, &other)))
    };
    let [our_times, tract_times, reference_times] = &times;
    let ratio = match (our_times.get(runs / 2), reference_times.get(runs / 2)) {
        (Some(ours), Some(reference)) => format!("{:.2}", ours.as_secs_f64() / reference.as_secs_f64()),
        _ => "-".to_owned(),
    };
    println!(
        "{name:<26} {:>15} {:>15} {:>15} {ratio:>6} {:>10} {:>10}",
        cell(our_times),
        cell(tract_times),
        cell(reference_times),
        apart(Some(by_tract)),
        apart(by_reference)
    );
}

/// Least and middle of sorted times.
fn cell(times: &[Duration]) -> String {
    let ms = |time: &Duration| time.as_secs_f64() * 1e3;
    match (times.first(), times.get(times.len() / 2)) {
        (Some(least), Some(middle)) => format!("{:.2} {:.2}", ms(least), ms(middle)),
        _ => "-".to_owned(),
    }
}

/// The project's networks that have their file, then the shared ones that are known.
fn networks() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("WARDWATCH_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let files = |folder: PathBuf, extension: &str| {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|found| found == extension));
        files.sort();
        files
    };
    let own = files(root.join("models"), "toml").into_iter().map(|path| Manifest::resolve(&path).unwrap());
    let own = own.filter(|source| source.weights.exists());
    let known =
        files(shared.join("models"), "onnx").into_iter().filter_map(|path| match Manifest::resolve(&path) {
            Ok(source) => Some(source),
            Err(error) => {
                eprintln!("left out: {error}");
                None
            }
        });
    own.chain(known).collect()
}

/// onnxruntime in a process of its own.
struct Reference {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// All outputs, one after the other.
    outputs: Vec<f32>,
}

impl Reference {
    fn start(python: &Path, network: &Path, input: &[f32], folder: &Path) -> Self {
        let (input_path, output_path) = (folder.join("input"), folder.join("output"));
        let bytes: Vec<u8> = input.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(&input_path, bytes).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/detect/reference.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([network, &input_path, &output_path])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (asks, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut reference = Self { child, asks, answers, outputs: Vec::new() };
        assert_eq!(reference.answer(), "ready", "onnxruntime runs {}", network.display());
        let bytes = std::fs::read(output_path).unwrap();
        reference.outputs = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
        reference
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn run(&mut self) -> Duration {
        writeln!(self.asks).unwrap();
        Duration::from_secs_f64(self.answer().parse().unwrap())
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of this thread.
fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let begun = clock_gettime(ClockId::ThreadCPUTime);
    std::hint::black_box(run());
    let ended = clock_gettime(ClockId::ThreadCPUTime);
    let since = |time: rustix::time::Timespec| Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
    since(ended).saturating_sub(since(begun))
}

fn apart(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len(), "as many values");
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

/// The same values each time, from 0 to 255.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32
    };
    (0..count).map(|_| next()).collect()
}
