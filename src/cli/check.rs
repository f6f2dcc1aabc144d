//! `wardwatch check`: prints the problems of the configuration, or a summary of a valid one.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::{self, Problems, Reader, Settings};
use crate::doctor::footage::{self, CAMERA_BYTES_PER_SECOND, Outlook};
use crate::infer::DetectorChoice;
use analysis::rules::{About, RuleArea, RuleSettings};
use base::ids::CameraId;
use base::secret::without_passwords;
use camera::{Source, StreamSettings};
use clipstore::NO_LIMIT;
use wardlink::{Acknowledge, KEEP_ALIVE_MAX};

/// Checks the configuration and prints a summary.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration; conf.d/*.toml beside it is read as well.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// The user who must be able to read every file that it names: a name or a number [default: wardwatch where root asks, else
    /// this user]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Print one JSON object instead: `problems`, or `warnings` and `summary`.
    #[arg(long)]
    pub json: bool,
}

/// Prints a summary to stdout and returns 0, or every problem to stderr and returns 3. Warnings go to stderr and do not
/// change the exit code. With `--json`, all of it goes to stdout.
///
/// # Errors
/// There is no such user; none that a configuration could cause.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let reader = args.user.as_deref().map_or_else(|| Ok(Reader::daemon()), Reader::named)?;
    let outcome = config::load_for(&args.config, reader);
    let code = if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(super::FOUND) };
    if args.json {
        println!("{}", without_passwords(&serde_json::to_string_pretty(&report(&outcome))?));
        return Ok(code);
    }
    match &outcome {
        Ok(settings) => {
            print!("{}", without_passwords(&Summary::of(settings).text()));
            let warnings = settings.warnings.iter().map(ToString::to_string);
            warnings.for_each(|warning| eprintln!("warning: {}", without_passwords(&warning)));
        }
        Err(problems) => {
            let (count, plural) = (problems.0.len(), if problems.0.len() == 1 { "" } else { "s" });
            eprintln!("{problems}\n\n{count} problem{plural} found.");
        }
    }
    Ok(code)
}

fn report(outcome: &Result<Settings, Problems>) -> serde_json::Value {
    match outcome {
        Ok(settings) => serde_json::json!({
            "problems": [],
            "warnings": settings.warnings,
            "summary": Summary::of(settings),
        }),
        Err(problems) => serde_json::json!({ "problems": problems }),
    }
}

/// Summary of the configuration; no passwords.
#[derive(Debug, Serialize)]
struct Summary {
    ward: String,
    #[serde(rename = "box")]
    box_id: String,
    timezone: String,
    holidays: usize,
    store: StoreSummary,
    broker: BrokerSummary,
    detector: DetectorSummary,
    cameras: Vec<CameraSummary>,
    rules: Vec<RuleSummary>,
}

#[derive(Debug, Serialize)]
struct StoreSummary {
    directory: PathBuf,
    /// Without a limit of its own: the room that the disk has; nothing where the disk cannot be asked.
    clip_bytes_max: Option<u64>,
    #[serde(skip)]
    has_limit: bool,
    clip_days_max: f64,
    alert_days_max: f64,
    free_bytes_min: u64,
}

#[derive(Debug, Serialize)]
struct BrokerSummary {
    host: String,
    port: u16,
    tls: bool,
    certificate: bool,
    user: Option<String>,
    acknowledge: &'static str,
    /// The written interval in seconds, where it is longer than the box allows.
    #[serde(skip)]
    keep_alive_cut_from: Option<u64>,
}

#[derive(Debug, Serialize)]
struct DetectorSummary {
    model: String,
    /// Columns and rows; nothing where the manifest sets them.
    input_size: Option<[usize; 2]>,
    /// Nothing where the manifest sets it.
    score_min: Option<f32>,
    workers: usize,
}

#[derive(Debug, Serialize)]
struct CameraSummary {
    id: String,
    name: String,
    streams: Vec<StreamSummary>,
    /// Nothing where the disk cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    footage: Option<FootageSummary>,
}

/// Footage that a camera will have.
#[derive(Debug, Serialize)]
struct FootageSummary {
    days: f64,
    /// The limit that ends it.
    limit: &'static str,
    bytes_per_second: f64,
    /// The rate is that of present footage; else it is assumed.
    measured: bool,
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Serialize)]
struct StreamSummary {
    role: String,
    source: String,
    user: Option<String>,
    record: bool,
    watch_fps_max: Option<f32>,
}

#[derive(Debug, Serialize)]
struct RuleSummary {
    id: String,
    name: String,
    kind: &'static str,
    camera: String,
    /// Nothing where the rule is about the camera itself.
    place: Option<String>,
    /// Empty for everything.
    labels: Vec<&'static str>,
    severity: &'static str,
    windows: usize,
    /// Other numbers hold at night.
    night: bool,
}

impl Summary {
    fn of(settings: &Settings) -> Self {
        let (store, broker, detect) = (&settings.store, &settings.broker, &settings.detect);
        let ids: Vec<CameraId> = settings.cameras.iter().map(|camera| camera.camera.id.clone()).collect();
        let outlook = footage::outlook(store, &ids, CAMERA_BYTES_PER_SECOND).ok();
        let footage = |camera| outlook.as_ref().and_then(|outlook| FootageSummary::of(outlook, camera));
        Self {
            ward: settings.ward.to_string(),
            box_id: settings.box_id.to_string(),
            timezone: settings.timezone.iana_name().unwrap_or("UTC").to_owned(),
            holidays: settings.holidays.len(),
            store: StoreSummary {
                directory: store.directory.clone(),
                clip_bytes_max: match store.clip_bytes_max {
                    NO_LIMIT => outlook.as_ref().map(|outlook| outlook.room_bytes),
                    limit => Some(limit),
                },
                has_limit: store.clip_bytes_max != NO_LIMIT,
                clip_days_max: days(store.clip_age_max),
                alert_days_max: days(store.alert_age_max),
                free_bytes_min: store.free_bytes_min,
            },
            broker: BrokerSummary {
                host: broker.host.clone(),
                port: broker.port,
                tls: broker.tls.is_some(),
                certificate: broker.tls.as_ref().is_some_and(|tls| tls.identity.is_some()),
                user: broker.credentials.as_ref().map(|credentials| credentials.user.clone()),
                acknowledge: match broker.acknowledge {
                    Acknowledge::Post => "post",
                    Acknowledge::Broker => "broker",
                },
                keep_alive_cut_from: Some(broker.keep_alive.as_secs())
                    .filter(|seconds| *seconds > KEEP_ALIVE_MAX.as_secs()),
            },
            detector: DetectorSummary {
                model: match &detect.detector {
                    DetectorChoice::Motion => "motion".to_owned(),
                    DetectorChoice::Network(path) => path.display().to_string(),
                },
                input_size: detect.input_size.map(|size| [size.width, size.height]),
                score_min: detect.score_min,
                workers: detect.workers,
            },
            cameras: settings
                .cameras
                .iter()
                .map(|camera| CameraSummary::of(camera, footage(&camera.camera.id)))
                .collect(),
            rules: settings.rules.iter().map(RuleSummary::of).collect(),
        }
    }

    fn text(&self) -> String {
        let (store, broker, detector) = (&self.store, &self.broker, &self.detector);
        let tls = match (broker.tls, broker.certificate) {
            (false, _) => "not encrypted",
            (true, false) => "TLS",
            (true, true) => "TLS with the box's certificate",
        };
        let user = broker.user.as_ref().map_or(String::new(), |user| format!(", as {user}"));
        let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
        let room = match store.clip_bytes_max.map(gib) {
            Some(room) if store.has_limit => format!("at most {room:.1} GiB of footage"),
            Some(room) => format!("footage may have the {room:.1} GiB of the disk"),
            None => "footage may have the disk".to_owned(),
        };
        let mut lines = vec![
            format!(
                "box       {} in ward {}, time zone {}, {} holiday(s)",
                self.box_id, self.ward, self.timezone, self.holidays
            ),
            format!(
                "store     {}, {room}, {:.1} GiB stay free; footage is kept for {} days, of alerts for {}",
                store.directory.display(),
                gib(store.free_bytes_min),
                store.clip_days_max,
                store.alert_days_max
            ),
            format!(
                "broker    {} port {}, {tls}{user}; an alert leaves the outbox when the {} has confirmed it",
                broker.host, broker.port, broker.acknowledge
            ),
            format!(
                "detector  {}{}, score at least {}, {} worker(s)",
                detector.model,
                detector.input_size.map_or(String::new(), |[width, height]| format!(" at {width}x{height}")),
                detector.score_min.map_or("as in its manifest".to_owned(), |score| score.to_string()),
                detector.workers
            ),
        ];
        if let Some(written) = broker.keep_alive_cut_from {
            lines.push(format!(
                "          broker.keep_alive_seconds is {written}; the box uses {}, its maximum",
                KEEP_ALIVE_MAX.as_secs()
            ));
        }
        for camera in &self.cameras {
            lines.push(format!("camera    {} ({})", camera.id, camera.name));
            lines.extend(camera.streams.iter().map(|stream| format!("            {}", stream.text())));
            lines.extend(camera.footage.iter().map(|footage| format!("            {}", footage.text)));
        }
        lines.extend(self.rules.iter().map(|rule| format!("rule      {}", rule.text())));
        if self.cameras.is_empty() {
            lines.push("no camera is configured: the box has nothing to do".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

fn days(age: std::time::Duration) -> f64 {
    age.as_secs_f64() / (24.0 * 3600.0)
}

impl FootageSummary {
    fn of(outlook: &Outlook, camera: &CameraId) -> Option<Self> {
        let reach = outlook.reaches.iter().find(|reach| reach.camera == *camera)?;
        let measured = outlook.measured.contains(camera);
        let source = if measured { "as recorded" } else { "assumed" };
        let (age, limit, rate) = (footage::age_text(reach), reach.bound.as_str(), reach.bytes_per_second);
        let text =
            format!("about {age} of footage at {:.1} Mbit/s ({source}); {limit} is the limit", rate * 8e-6);
        Some(Self { days: days(reach.age), limit, bytes_per_second: rate, measured, text })
    }
}

impl CameraSummary {
    fn of(camera: &config::Camera, footage: Option<FootageSummary>) -> Self {
        Self {
            id: camera.camera.id.to_string(),
            name: camera.camera.name.clone(),
            streams: camera.streams.iter().map(StreamSummary::of).collect(),
            footage,
        }
    }
}

impl StreamSummary {
    fn of(stream: &StreamSettings) -> Self {
        let (source, credentials) = match &stream.source {
            // Some cameras take keys in the query.
            Source::Rtsp(rtsp) => {
                (rtsp.url.split('?').next().unwrap_or_default().to_owned(), rtsp.credentials.as_ref())
            }
            Source::File { path, .. } => (path.display().to_string(), None),
        };
        Self {
            role: stream.role.to_string(),
            source,
            user: credentials.map(|credentials| credentials.user.clone()),
            record: stream.record,
            watch_fps_max: stream.watch_fps_max,
        }
    }

    fn text(&self) -> String {
        let user = self.user.as_ref().map_or(String::new(), |user| format!(" as {user}"));
        let record = if self.record { ", recorded" } else { "" };
        let analysis =
            self.watch_fps_max.map_or(String::new(), |fps| format!(", analysed at up to {fps} fps"));
        format!("{:<4} {}{user}{record}{analysis}", self.role, self.source)
    }
}

impl RuleSummary {
    fn of(rule: &RuleSettings) -> Self {
        let needs = rule.kind.needs();
        let is_of_camera = needs.about == About::Camera;
        let by_itself = needs.labels().iter();
        let labels = if rule.labels.is_empty() { by_itself.collect() } else { Vec::from_iter(&rule.labels) };
        let place = match &rule.place {
            RuleArea::Everywhere => "everywhere".to_owned(),
            RuleArea::Zone(zone) => format!("zone {}", zone.id),
            RuleArea::Tripwire(tripwire) => format!("tripwire {}", tripwire.id),
        };
        Self {
            id: rule.id.to_string(),
            name: rule.name.clone(),
            kind: rule.kind.as_str(),
            camera: rule.camera.to_string(),
            place: (!is_of_camera).then_some(place),
            labels: labels.into_iter().map(|label| label.as_str()).collect(),
            severity: rule.severity.as_str(),
            windows: rule.schedule.windows.len(),
            night: rule.night.is_some(),
        }
    }

    fn text(&self) -> String {
        let about = match &self.place {
            None => String::new(),
            Some(place) if self.labels.is_empty() => format!(", {place}: everything"),
            Some(place) => format!(", {place}: {}", self.labels.join(", ")),
        };
        let when = match self.windows {
            0 => "always".to_owned(),
            1 => "in 1 window".to_owned(),
            several => format!("in {several} windows"),
        };
        let night = if self.night { ", other numbers at night" } else { "" };
        format!(
            "{} ({}): {} on {}{about}, {when}{night}, {}",
            self.id, self.name, self.kind, self.camera, self.severity
        )
    }
}
