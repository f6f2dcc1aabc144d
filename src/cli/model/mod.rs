//! `wardwatch model`: the known networks, checks of a network, its accuracy, and its cost on this machine.

mod bench;
mod compare;
mod get;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use base::clock;
use base::detection::Label;
use base::detector::InputSize;
use base::fault;
use base::geometry::Rect;
use detector::capacity::picture;
use detector::{DetectError, Manifest, Model, eval};

/// Number of runs of which `check` takes the fastest.
const RUNS: usize = 5;

const WHOLE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);

/// Arguments of `wardwatch model`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the networks that are known by their file alone
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring a known network from its public origin, or from a stick
    Get(get::Args),
    /// Load a network, hold it against its manifest, run it once; exit 3 if something is wrong with it
    Check {
        /// A manifest (.toml), a known network (.onnx), or street-nano
        path: PathBuf,
        /// Size of its input, as 640x384, where it is not to be that of its manifest
        #[arg(long, value_name = "COLUMNSxROWS", value_parser = size)]
        size: Option<InputSize>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure the cost of a network on this machine, and how many cameras it can serve
    Bench(bench::Args),
    /// Measure a network's average precision on a folder of labelled pictures
    Eval {
        /// A manifest (.toml), a known network (.onnx), or street-nano
        model: PathBuf,
        /// Folder with images/NAME.jpg and labels/NAME.txt (class x y width height, the last four 0 to 1); unclear/NAME.txt,
        /// the same lines, for objects that may be seen or not
        folder: PathBuf,
        /// Labels of the folder's class ids, as 0=two-wheeler,1=car; without, they are the network's own
        #[arg(long, value_delimiter = ',', value_parser = mapped)]
        map: Vec<(u16, Label)>,
        /// Labels that count as one, as car,large-vehicle
        #[arg(long, value_delimiter = ',', value_parser = label, requires = "map")]
        as_one: Vec<Label>,
        /// Size of the network's input, as 640x384, where it is not to be that of its manifest
        #[arg(long, value_name = "COLUMNSxROWS", value_parser = size)]
        size: Option<InputSize>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare a network with a reference network on footage
    Compare {
        /// A manifest (.toml), a known network (.onnx), or street-nano
        model: PathBuf,
        /// The network that is taken for right, the same
        reference: PathBuf,
        /// Video files
        #[arg(required = true)]
        videos: Vec<PathBuf>,
        /// Pictures per second of footage
        #[arg(long, default_value_t = 4.0)]
        fps: f64,
        /// Lowest score of the reference that counts, 0 to 1
        #[arg(long, default_value_t = 0.5)]
        reference_score_min: f32,
        /// Lowest score of the network that counts, 0 to 1
        #[arg(long, default_value_t = 0.25)]
        score_min: f32,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command. An error is a request that cannot be carried out; findings of `check` are printed, and exit 3.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List { json } => list(json),
        Command::Get(args) => get::run(&args),
        Command::Check { path, size, json } => check(&path, size, json),
        Command::Bench(args) => bench::run(&args),
        Command::Eval { model, folder, map, as_one, size, json } => {
            let model = Model::load_at(&model, size)?;
            evaluate(&model, &folder, map, as_one, json)
        }
        Command::Compare { model, reference, videos, fps, reference_score_min, score_min, json } => {
            compare::run(&(model, score_min), &(reference, reference_score_min), &videos, fps, json)
        }
    }
}

fn label(text: &str) -> anyhow::Result<Label> {
    let label = Label::ALL.into_iter().find(|label| label.as_str() == text.trim());
    label.ok_or_else(|| {
        anyhow!("\"{text}\" is no label; labels are {}", Label::ALL.map(Label::as_str).join(", "))
    })
}

/// `640x384`: columns, rows.
pub(super) fn size(text: &str) -> anyhow::Result<InputSize> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let (width, height) = sides.ok_or_else(|| anyhow!("write COLUMNSxROWS, as 640x384"))?;
    Ok(InputSize { width, height })
}

fn mapped(text: &str) -> anyhow::Result<(u16, Label)> {
    let (class, word) = text.split_once('=').ok_or_else(|| anyhow!("write CLASS=LABEL, as 1=car"))?;
    let class = class.trim().parse().with_context(|| format!("\"{class}\" is no class id"))?;
    Ok((class, label(word)?))
}

fn list(as_json: bool) -> anyhow::Result<ExitCode> {
    let known = detector::catalogue();
    if as_json {
        let rows: Vec<_> = known.iter().map(|(_, manifest)| described(manifest)).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "Known networks. street-nano is part of this program; `wardwatch model get --list` names those that it can bring; of \
         the others bring the file, and name its path."
    );
    for (_, manifest) in known {
        println!();
        describe(&manifest);
    }
    Ok(ExitCode::SUCCESS)
}

fn described(manifest: &Manifest) -> serde_json::Value {
    json!({
        "name": manifest.name,
        "file": manifest.file,
        "sha256": manifest.sha256,
        "licence": manifest.licence,
        "origin": manifest.origin,
        "head": manifest.head.kind(),
        "width": manifest.input.width,
        "height": manifest.input.height,
        "smaller": manifest.input.smaller,
        "labels": manifest.labels.len(),
        "classes": manifest.classes,
        "score_min": manifest.score_min,
        "score_sure": manifest.score_sure,
        "get": manifest.download.as_ref().map(|download| &download.name),
    })
}

fn describe(manifest: &Manifest) {
    let classes: Vec<String> =
        manifest.classes.iter().map(|(network, label)| format!("{network}={label}")).collect();
    println!("{}", manifest.name);
    println!("  file     {}", manifest.file.display());
    println!("  sha256   {}", manifest.sha256);
    println!("  licence  {}", manifest.licence);
    println!("  origin   {}", manifest.origin);
    println!(
        "  input    {}x{} (width x height), {} head, {} labels",
        manifest.input.width,
        manifest.input.height,
        manifest.head.kind(),
        manifest.labels.len()
    );
    println!("  classes  {}", classes.join(", "));
    println!("  scores   from {}, sure from {}", manifest.score_min, manifest.score_sure);
}

fn check(path: &Path, size: Option<InputSize>, as_json: bool) -> anyhow::Result<ExitCode> {
    let checked = Model::load_at(path, size).and_then(|model| {
        let timing = Timing::of(&model)?;
        Ok((model, timing))
    });
    let (model, timing) = match checked {
        Ok(checked) => checked,
        Err(error) => return Ok(wrong(&error)),
    };
    let (prepare_ms, infer_ms) = (millis(timing.prepare), millis(timing.infer));
    if as_json {
        let mut row = described(model.manifest());
        row["prepare_cpu_ms"] = json!(prepare_ms);
        row["infer_cpu_ms"] = json!(infer_ms);
        row["work"] = json!({ "dense": model.work().dense, "depthwise": model.work().depthwise });
        println!("{}", serde_json::to_string_pretty(&row)?);
    } else {
        describe(model.manifest());
        let work = model.work();
        println!(
            "  work     {:.0} million multiplications, {:.0} of them in convolutions of single channels",
            work.dense + work.depthwise,
            work.depthwise
        );
        println!(
            "  runs     {infer_ms:.1} ms of one CPU, {prepare_ms:.1} ms before it for a 640x360 picture"
        );
        println!("fine");
    }
    Ok(ExitCode::SUCCESS)
}

fn wrong(error: &DetectError) -> ExitCode {
    eprintln!("{}", fault::chain(error));
    ExitCode::from(super::FOUND)
}

/// CPU time of one inference, the fastest of several.
struct Timing {
    prepare: Duration,
    infer: Duration,
}

impl Timing {
    fn of(model: &Model) -> Result<Self, DetectError> {
        let picture = picture();
        let mut fastest = Self { prepare: Duration::MAX, infer: Duration::MAX };
        for _ in 0..RUNS {
            let begun = clock::thread_cpu();
            let prepared = model.prepare(&picture, WHOLE, model.input_sizes()[0])?;
            let prepared_at = clock::thread_cpu();
            let prepare = prepared_at.saturating_sub(begun);
            model.infer(prepared, 0.3)?;
            fastest.prepare = fastest.prepare.min(prepare);
            fastest.infer = fastest.infer.min(clock::thread_cpu().saturating_sub(prepared_at));
        }
        Ok(fastest)
    }
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e5).round() / 100.0
}

fn evaluate(
    model: &Model,
    folder: &Path,
    map: Vec<(u16, Label)>,
    as_one: Vec<Label>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let classes = map.len();
    let map: BTreeMap<u16, Label> = map.into_iter().collect();
    if map.len() != classes {
        bail!("--map names a class twice: give each class id one label");
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = eval::Options { map: (!map.is_empty()).then_some(map), as_one, threads };
    // Draws nothing unless stderr is a terminal.
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} pictures, {eta} left")?);
    let report = eval::run(model, folder, &options, &|pictures| {
        bar.set_length(pictures as u64);
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    if as_json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &eval::Report) {
    let width = report.classes.iter().map(|class| class.label.chars().count()).max().unwrap_or(0).max(10);
    println!("{:width$}  {:>6}  {:>8}  {:>6}", "class", "boxes", "AP50-95", "AP50");
    let row = |name: &str, boxes: usize, ap: f64, ap_50: f64| {
        println!("{name:width$}  {boxes:>6}  {:>8.1}  {:>6.1}", ap * 100.0, ap_50 * 100.0);
    };
    for class in &report.classes {
        row(&class.label, class.boxes, class.ap_50_95, class.ap_50);
    }
    let boxes = report.classes.iter().map(|class| class.boxes).sum();
    row("mean", boxes, report.map_50_95, report.map_50);
    println!("{} pictures", report.pictures);
}
