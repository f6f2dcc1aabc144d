//! `wardwatch model bench`: CPU time, memory, and the number of cameras that they allow.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::{WHOLE, millis};
use crate::infer::Settings;
use base::clock;
use base::detector::InputSize;
use detector::capacity::{inferences_per_second, picture};
use detector::{Cost, DetectError, Model};

/// Numbers of cameras in the table.
const CAMERAS: [u32; 4] = [1, 4, 8, 16];

/// Lines of a profile that are printed.
const PROFILE_LINES: usize = 25;

/// Arguments of `wardwatch model bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A manifest (.toml), a known network (.onnx), or street-nano
    path: PathBuf,
    /// Size of its input, as 640x384, where it is not to be that of its manifest
    #[arg(long, value_name = "COLUMNSxROWS", value_parser = super::size)]
    size: Option<InputSize>,
    /// Inferences of each input size, one size after the other in each round
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// The part of all cores that may be spent on looking, as `cpu_share_max` of the configuration
    #[arg(long, value_parser = share, default_value_t = Settings::default().cpu_share_max)]
    cpu_share_max: f32,
    /// Cost of each operator, at the largest size
    #[arg(long)]
    profile: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> anyhow::Result<f32> {
    let share: f32 = text.parse()?;
    anyhow::ensure!(share > 0.0 && share <= 1.0, "a number above 0 and at most 1");
    Ok(share)
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let before = memory_bytes();
    let model = Model::load_at(&args.path, args.size)?;
    let loaded = memory_bytes();
    let sizes = measure(&model, args.runs)?;
    let ran = memory_bytes();
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let report = Report {
        name: model.manifest().name.clone(),
        sizes,
        load_bytes: loaded.saturating_sub(before),
        run_bytes: ran.saturating_sub(loaded),
        cores: available as f64 * f64::from(args.cpu_share_max),
        profile: if args.profile { profile(&model, args.runs)? } else { Vec::new() },
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report.json())?);
    } else {
        report.print();
    }
    Ok(ExitCode::SUCCESS)
}

struct Report {
    name: String,
    sizes: Vec<Size>,
    load_bytes: u64,
    run_bytes: u64,
    cores: f64,
    profile: Vec<Cost>,
}

/// CPU times of the two halves of an inference, sorted.
struct Size {
    size: InputSize,
    prepare: Vec<Duration>,
    infer: Vec<Duration>,
}

impl Size {
    /// The time of a whole inference, preparation included.
    fn inference_time(&self) -> Duration {
        median(&self.prepare) + median(&self.infer)
    }
}

fn measure(model: &Model, runs: u16) -> Result<Vec<Size>, DetectError> {
    let picture = picture();
    let mut sizes = Vec::new();
    for size in model.input_sizes() {
        sizes.push(Size { size: *size, prepare: Vec::new(), infer: Vec::new() });
    }
    // The first round is not counted: it allocates the memory that the others use.
    for round in 0..=runs {
        for Size { size, prepare, infer } in &mut sizes {
            let begun = clock::thread_cpu();
            let prepared = model.prepare(&picture, WHOLE, *size)?;
            let prepared_at = clock::thread_cpu();
            model.infer(prepared, 0.3)?;
            if round > 0 {
                prepare.push(prepared_at.saturating_sub(begun));
                infer.push(clock::thread_cpu().saturating_sub(prepared_at));
            }
        }
    }
    for Size { prepare, infer, .. } in &mut sizes {
        prepare.sort_unstable();
        infer.sort_unstable();
    }
    Ok(sizes)
}

/// The median of each operator's cost over some inferences, in the order in which they run.
fn profile(model: &Model, runs: u16) -> Result<Vec<Cost>, DetectError> {
    let picture = picture();
    let mut rounds: Vec<Vec<Cost>> = Vec::new();
    for _ in 0..runs {
        let prepared = model.prepare(&picture, WHOLE, model.input_sizes()[0])?;
        rounds.push(model.profile(prepared, &clock::thread_cpu)?);
    }
    let mut costs = rounds[0].clone();
    for (at, cost) in costs.iter_mut().enumerate() {
        let mut spent: Vec<Duration> = rounds.iter().map(|round| round[at].spent).collect();
        spent.sort_unstable();
        cost.spent = median(&spent);
    }
    Ok(costs)
}

/// Median of sorted times.
fn median(times: &[Duration]) -> Duration {
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl Report {
    fn json(&self) -> Value {
        let mut sizes = Vec::new();
        for size in &self.sizes {
            let serves = CAMERAS.map(|cameras| {
                let inferences = self.inferences_per_camera(size, cameras);
                json!({ "cameras": cameras, "looks_per_second_each": round(inferences, 2) })
            });
            sizes.push(json!({
                "width": size.size.width,
                "height": size.size.height,
                "prepare_cpu_ms": { "min": millis(size.prepare[0]), "median": millis(median(&size.prepare)) },
                "infer_cpu_ms": { "min": millis(size.infer[0]), "median": millis(median(&size.infer)) },
                "serves": serves,
            }));
        }
        let cost = |cost: &Cost| json!({ "node": cost.node, "operator": cost.operator, "cpu_ms": round(cost.spent.as_secs_f64() * 1e3, 3) });
        let mut report = json!({
            "name": self.name,
            "cores": round(self.cores, 3),
            "sizes": sizes,
            "load_bytes": self.load_bytes,
            "run_bytes": self.run_bytes,
        });
        if !self.profile.is_empty() {
            report["profile"] = self.profile.iter().map(cost).collect();
        }
        report
    }

    /// Inferences per second and camera, if all cameras get the same number.
    fn inferences_per_camera(&self, size: &Size, cameras: u32) -> f64 {
        inferences_per_second(size.inference_time(), self.cores) / f64::from(cameras)
    }

    fn print(&self) {
        println!(
            "{}: CPU ms of an inference on a 640x360 picture, and how many cameras that is enough for",
            self.name
        );
        let cameras: Vec<String> =
            CAMERAS.iter().map(|cameras| format!("{:>8}", format!("{cameras} cam"))).collect();
        println!("{:>9}  {:^13}  {:^13} {}", "input", "prepare", "inference", cameras.concat());
        println!(
            "{:>9}  {:>6} {:>6}  {:>6} {:>6}  inferences per second of each, with {:.2} cores",
            "", "min", "median", "min", "median", self.cores
        );
        for size in &self.sizes {
            let times = [&size.prepare, &size.infer]
                .map(|times| format!("{:>6.2} {:>6.2}", millis(times[0]), millis(median(times))));
            let inferences: Vec<String> = CAMERAS
                .iter()
                .map(|cameras| format!("{:>8.1}", self.inferences_per_camera(size, *cameras)))
                .collect();
            let name = format!("{}x{}", size.size.width, size.size.height);
            println!("{name:>9}  {}  {} {}", times[0], times[1], inferences.concat());
        }
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "memory (PSS): {:.1} MB more by loading, {:.1} MB more by the first runs",
            megabytes(self.load_bytes),
            megabytes(self.run_bytes)
        );
        if !self.profile.is_empty() {
            self.print_profile();
        }
    }

    fn print_profile(&self) {
        let total: Duration = self.profile.iter().map(|cost| cost.spent).sum();
        let share = |spent: Duration| spent.as_secs_f64() / total.as_secs_f64().max(1e-9) * 100.0;
        let mut dearest: Vec<&Cost> = self.profile.iter().collect();
        dearest.sort_by_key(|cost| std::cmp::Reverse(cost.spent));
        println!("\n{:>8} {:>6}  {:<22} node", "CPU ms", "share", "operator");
        for cost in dearest.iter().take(PROFILE_LINES) {
            let ms = cost.spent.as_secs_f64() * 1e3;
            println!("{ms:>8.3} {:>5.1}%  {:<22} {}", share(cost.spent), cost.operator, cost.node);
        }
        if let Some(rest) = dearest.get(PROFILE_LINES..).filter(|rest| !rest.is_empty()) {
            let spent: Duration = rest.iter().map(|cost| cost.spent).sum();
            println!("{:>8.3} {:>5.1}%  {} others", spent.as_secs_f64() * 1e3, share(spent), rest.len());
        }
    }
}

fn round(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    (value * unit).round() / unit
}

/// This process's proportional set size, as Linux counts it; 0 elsewhere.
fn memory_bytes() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}
