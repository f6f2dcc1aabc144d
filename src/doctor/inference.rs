//! Measures the inferences of the configured network, compares them with the cameras' rates, and says which of the networks that
//! can be downloaded this box can carry.

use std::time::Duration;

use super::Finding;
use crate::config;
use crate::infer::Factory;
use base::clock;
use base::detector::InputSize;
use detector::{DetectError, Download, Manifest, Model, capacity};

/// Inferences of which the measurement takes the median.
const RUNS: usize = 5;
/// Inferences a second of each camera, all moving at once, that are enough for a network to be named.
const INFERENCES_ENOUGH: f64 = 2.0;

/// The cameras' demand on a network.
struct Demand {
    cameras: usize,
    /// Inferences a second at most, all cameras together.
    full: f64,
    /// Inferences a second that are enough.
    enough: f64,
    /// Cores that inference may take.
    cores: f64,
}

impl Demand {
    fn of(settings: &config::Settings) -> Self {
        let rate = |camera: &config::Camera| {
            camera.streams.iter().filter_map(|stream| stream.watch_fps_max).map(f64::from).fold(0.0, f64::max)
        };
        let rates: Vec<f64> = settings.cameras.iter().map(rate).filter(|rate| *rate > 0.0).collect();
        let available = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let share = available * f64::from(settings.detect.cpu_share_max);
        Self {
            cameras: rates.len(),
            full: rates.iter().sum(),
            enough: rates.iter().map(|rate| rate.min(INFERENCES_ENOUGH)).sum(),
            cores: share.min(settings.detect.workers.max(1) as f64),
        }
    }

    /// Inferences a second of each camera while all of them move.
    fn each(&self, inference: Duration) -> f64 {
        capacity::inferences_per_second(inference, self.cores) / self.cameras.max(1) as f64
    }

    fn is_carried(&self, inference: Duration) -> bool {
        capacity::inferences_per_second(inference, self.cores) >= self.enough
    }
}

/// Reports on the configured network and on those that could take its place.
pub(super) fn examine(settings: &config::Settings, factory: &Factory, say: &mut dyn FnMut(Finding)) {
    let Some(model) = factory.network() else { return };
    match measured(settings, model) {
        Ok(findings) => findings.into_iter().for_each(say),
        Err(error) => say(Finding::failed("inference", error.to_string(), "see `wardwatch model check`")),
    }
}

fn measured(settings: &config::Settings, model: &Model) -> Result<Vec<Finding>, DetectError> {
    let inference = capacity::inference_time(model, RUNS, &clock::thread_cpu)?;
    let demand = Demand::of(settings);
    if demand.cameras == 0 {
        return Ok(Vec::new());
    }
    let others: Vec<Other> = detector::catalogue()
        .iter()
        .filter_map(|(_, manifest)| Other::of(manifest, model, inference))
        .collect();
    Ok(vec![of_this(&demand, model, inference), of_others(&demand, model.manifest(), inference, &others)])
}

fn of_this(demand: &Demand, model: &Model, inference: Duration) -> Finding {
    let Demand { cameras, full, cores, .. } = demand;
    let what = format!(
        "{}: {:.1} ms of CPU per inference, {:.1} inferences a second for each of {cameras} camera(s) while all move, in {cores:.2} cores; \
         they need {:.1} at most",
        model.manifest().name,
        millis(inference),
        demand.each(inference),
        full / *cameras as f64
    );
    if demand.is_carried(inference) {
        return Finding::ok("inference", what);
    }
    let remedy = "the box will miss what moves at busy times: name a lighter network or a smaller input_size in [detector], lower \
                  fps_max of cameras, or raise cpu_share_max";
    Finding::warning("inference", what, remedy)
}

/// A network that can be downloaded.
struct Other {
    download: Download,
    licence: String,
    persons: Option<f32>,
    inference: Duration,
}

impl Other {
    /// `None` for the configured network, and for one without a download.
    fn of(manifest: &Manifest, model: &Model, inference: Duration) -> Option<Self> {
        let download = manifest.download.clone()?;
        if manifest.sha256 == model.manifest().sha256 {
            return None;
        }
        let [width, height] = download.size;
        let work = capacity::work_at(manifest, InputSize { width, height })?;
        Some(Self {
            licence: manifest.licence.clone(),
            persons: manifest.persons,
            inference: capacity::estimated(inference, model.work(), work),
            download,
        })
    }
}

/// Reports on the other networks, where `manifest` is that of the configured one and `inference` the time that it takes.
fn of_others(demand: &Demand, manifest: &Manifest, inference: Duration, others: &[Other]) -> Finding {
    let mut lines = Vec::new();
    for other in others {
        let carried = if demand.is_carried(other.inference) {
            "can be carried"
        } else {
            "is too heavy for these cameras"
        };
        let each = demand.each(other.inference);
        lines.push(format!(
            "{} {carried} (about {:.0} ms, {each:.1} inferences a second for each)",
            other.download.name,
            millis(other.inference)
        ));
    }
    let mut what = lines.join("; ");
    let best = others
        .iter()
        .filter(|other| demand.is_carried(other.inference))
        .filter(|other| other.persons.is_some_and(|persons| persons > manifest.persons.unwrap_or(0.0)))
        .max_by(|a, b| a.persons.partial_cmp(&b.persons).unwrap_or(std::cmp::Ordering::Equal));
    match best {
        Some(Other { download, licence, .. }) => {
            let size =
                download.bytes.map_or(String::new(), |bytes| format!(" {:.1} MB,", bytes as f64 / 1e6));
            what += &format!(
                ". Where persons matter most, {name} is recommended: `wardwatch model get {name}` brings it ({size} {licence}, from {})",
                download.origin_url,
                name = download.name
            );
        }
        None if demand.is_carried(inference) => {
            what += &format!(". {} is the best of what this box can carry", manifest.name);
        }
        None => what += ". None of those that can be downloaded is better for persons and light enough",
    }
    Finding::ok("other networks", what)
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use detector::BUILT_IN;

    fn ms(span: u64) -> Duration {
        Duration::from_millis(span)
    }

    fn other(name: &str, persons: Option<f32>, span: u64) -> Other {
        let download = Download {
            name: name.to_owned(),
            origin_url: format!("https://origin/{name}"),
            bytes: Some(3_700_000),
            size: [640, 384],
        };
        Other { download, licence: "Apache-2.0".to_owned(), persons, inference: ms(span) }
    }

    fn built_in() -> Manifest {
        Manifest::resolve(std::path::Path::new(BUILT_IN)).unwrap().manifest
    }

    #[test]
    fn the_best_that_is_carried_is_recommended_with_its_command() {
        // Four cameras that want five inferences a second each, on one core.
        let demand = Demand { cameras: 4, full: 20.0, enough: 8.0, cores: 1.0 };
        let others = [
            other("heavy", Some(90.0), 200),
            other("good", Some(70.0), 100),
            other("fair", Some(60.0), 50),
            other("unknown", None, 20),
        ];
        let finding = of_others(&demand, &built_in(), ms(40), &others);
        assert_eq!(finding.verdict, super::super::Verdict::Ok);
        for words in [
            "heavy is too heavy for these cameras (about 200 ms, 1.2 inferences a second for each)",
            "good can be carried (about 100 ms, 2.5 inferences a second for each)",
            "good is recommended: `wardwatch model get good` brings it",
            "https://origin/good",
        ] {
            assert!(finding.what.contains(words), "{words:?} is not in: {}", finding.what);
        }
        let best = Manifest { persons: Some(80.0), ..built_in() };
        // Eight inferences a second of 125 ms are all that one core does.
        for (inference, end) in [
            (ms(120), "street-nano is the best of what this box can carry"),
            (ms(130), "None of those that can be downloaded is better for persons and light enough"),
        ] {
            let finding = of_others(&demand, &best, inference, &others);
            assert!(finding.what.ends_with(end), "{}", finding.what);
        }
    }

    #[test]
    fn a_network_that_is_too_slow_for_its_cameras_is_said() {
        let model = Model::load(std::path::Path::new(BUILT_IN)).unwrap();
        let demand = Demand { cameras: 16, full: 80.0, enough: 32.0, cores: 1.0 };
        let finding = of_this(&demand, &model, Duration::from_millis(40));
        assert_eq!(finding.verdict, super::super::Verdict::Warning);
        assert!(
            finding.what.contains("1.6 inferences a second for each of 16 camera(s)"),
            "{}",
            finding.what
        );
        assert!(finding.remedy.unwrap().contains("lighter network"));
        assert_eq!(of_this(&demand, &model, Duration::from_millis(20)).verdict, super::super::Verdict::Ok);
    }
}
