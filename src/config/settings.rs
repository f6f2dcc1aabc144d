//! The configuration, checked and typed: from the written values to every module's own settings.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::file::{self, File};
use super::outside::Checker;
use super::problem::Problems;
use super::written::Written;
use super::{cameras, rules, shape, store};
use crate::infer;
use analysis::rules::{RuleSettings, Schedule, Window};
use base::alert::CameraRef;
use base::geometry::Polygon;
use base::ids::{BoxId, WardId};

/// File beside the store's own ones, with the topics of messages to Home Assistant.
const TOLD_FILE: &str = "home-assistant-topics";

/// All settings of the box.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The ward.
    pub ward: WardId,
    /// This box.
    pub box_id: BoxId,
    /// Time zone of the schedules.
    pub timezone: TimeZone,
    /// The ward's holidays, for schedules.
    pub holidays: BTreeSet<Date>,
    /// Settings of the store for footage and alerts.
    pub store: clipstore::Settings,
    /// The ward post's broker.
    pub broker: wardlink::Settings,
    /// Settings of the detection.
    pub detect: infer::Settings,
    /// The cameras, by id.
    pub cameras: Vec<Camera>,
    /// The rules, by id: one for each camera that a rule names, in the order in which it names them.
    pub rules: Vec<RuleSettings>,
}

/// One camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// Its name and place in alerts.
    pub camera: CameraRef,
    /// One stream for all purposes, or the main stream for recording and the sub stream for detection. A stream without a use is
    /// left out.
    pub streams: Vec<camera::StreamSettings>,
    /// Duration of the footage before an alert that belongs to it.
    pub pre_roll: Duration,
    /// Duration of the footage after an alert that belongs to it.
    pub post_roll: Duration,
    /// Inferences per second that have priority over those of other cameras beyond their own minimum.
    pub looks_per_second_min: f32,
    /// Areas in which motion does not count.
    pub masks: Vec<Polygon>,
    /// Areas that no thumbnail shows.
    pub privacy_masks: Vec<Polygon>,
    /// Thumbnails show persons that the alert is not about in coarse blocks.
    pub hide_bystanders: bool,
}

/// Reads and checks `path` and `conf.d/*.toml` beside it. Reads files, password files among them, and changes nothing:
/// a caller that reloads keeps its settings until this returns `Ok`.
///
/// `credentials_directory` is the folder of the unit's credentials, set by systemd.
///
/// # Errors
/// All problems, at once.
pub(super) fn load(path: &Path, credentials_directory: Option<&Path>) -> Result<Settings, Problems> {
    let mut written = Written::read(path);
    let root = shape::check(&mut written);
    let settings = match serde_json::from_value::<File>(root) {
        Ok(file) => checked(&mut Checker { written: &mut written, credentials_directory }, file),
        Err(error) => {
            written.wrong(
                "",
                format!("is not understood: {error}"),
                "report this as a defect of `wardwatch check`",
            );
            None
        }
    };
    let problems = written.into_problems();
    match settings {
        Some(settings) if problems.0.is_empty() => Ok(settings),
        _ => {
            debug_assert!(!problems.0.is_empty(), "what is missing from the settings has been noted");
            Err(problems)
        }
    }
}

/// `None` only if a problem has been noted.
fn checked(checker: &mut Checker, file: File) -> Option<Settings> {
    let identity = file.identity.map(|identity| self::identity(checker, identity));
    let (ward, box_id, calendar) = identity.unwrap_or_default();
    let store = store::checked(checker, &file.store, &file.camera);
    let broker = file.broker.and_then(|broker| self::broker(checker, broker, ward.clone(), box_id.clone()));
    let prefix = home_assistant(checker, file.home_assistant);
    let broker = broker.zip(store.as_ref()).map(|(mut broker, store)| {
        broker.home_assistant = wardlink::HomeAssistant { prefix, file: store.directory.join(TOLD_FILE) };
        broker
    });
    let detect = detector(checker, &file.detector);
    let cameras = cameras::checked(checker, file.camera);
    let detector = detect.as_ref().map(|detect| &detect.detector);
    let rules = rules::checked(checker, file.rule, &cameras, calendar.as_ref(), detector);
    Some(Settings {
        ward: ward?,
        box_id: box_id?,
        holidays: calendar.as_ref()?.holidays.clone(),
        timezone: calendar?.timezone,
        store: store?,
        broker: broker?,
        detect: detect?,
        cameras: cameras.into_iter().map(|camera| camera.settings).collect(),
        rules,
    })
}

/// Ward, box, and the calendar for schedules, without a window.
fn identity(
    checker: &mut Checker,
    identity: file::Identity,
) -> (Option<WardId>, Option<BoxId>, Option<Schedule>) {
    let ward = identity.ward.and_then(|ward| checker.id("box.ward", &ward));
    let box_id = identity.id.and_then(|id| checker.id("box.id", &id));
    let timezone = TimeZone::get(&identity.timezone).ok();
    if timezone.is_none() {
        let what = format!("there is no time zone {:?} on this machine", identity.timezone);
        let remedy =
            "use an IANA name such as \"Asia/Ho_Chi_Minh\"; if that is not there either, install tzdata";
        checker.wrong("box.timezone", what, remedy);
    }
    let mut date = |(index, text): (usize, &String)| {
        let date = Date::strptime("%Y-%m-%d", text).ok();
        if date.is_none() {
            let remedy = "write it as year, month and day: \"2026-09-02\"";
            checker.wrong(&format!("box.holidays[{index}]"), format!("{text:?} is no date"), remedy);
        }
        date
    };
    let holidays = identity.holidays.iter().enumerate().filter_map(&mut date).collect();
    let night = night(checker, &identity.night);
    let calendar = timezone.zip(night).map(|(timezone, night)| Schedule {
        timezone,
        holidays,
        night,
        windows: Vec::new(),
    });
    (ward, box_id, calendar)
}

fn night(checker: &mut Checker, night: &file::Night) -> Option<Window> {
    let (from, to) = (time(checker, "box.night.from", &night.from), time(checker, "box.night.to", &night.to));
    if from.is_some() && from == to {
        checker.wrong("box.night", "ends when it begins", "give two different times of day");
        return None;
    }
    Some(Window { days: Vec::new(), from: from?, to: to? })
}

/// A time of day; an invalid one is noted as a problem.
pub(super) fn time(checker: &mut Checker, key: &str, text: &str) -> Option<Time> {
    let time = Time::strptime("%H:%M", text).ok();
    if time.is_none() {
        checker.wrong(key, format!("{text:?} is no time of day"), "write \"00:00\" to \"23:59\"");
    }
    time
}

fn broker(
    checker: &mut Checker,
    broker: file::Broker,
    ward: Option<WardId>,
    box_id: Option<BoxId>,
) -> Option<wardlink::Settings> {
    let schemes = ["mqtts", "mqtt"];
    let address = broker.url.as_ref().and_then(|url| checker.address("broker.url", url, &schemes));
    let credentials = checker.credentials("broker", broker.user.clone(), broker.password_file.as_deref());
    let ca_file = broker.ca_file.as_ref().and_then(|text| checker.file("broker.ca_file", text));
    let identity = broker_identity(checker, &broker);
    let address = address?;
    if !["", "/"].contains(&&address.rest[address.rest.find(['/', '?', '#']).unwrap_or(address.rest.len())..])
    {
        checker.wrong("broker.url", "has a path", "leave it at the host and port");
    }
    let secure = address.scheme == "mqtts";
    if secure && !checker.written.is_written("broker.ca_file") {
        let remedy = "add ca_file: the PEM file of the authority that signed the broker's certificate";
        checker.wrong("broker.ca_file", "is missing, and the broker is not trusted without it", remedy);
    }
    if !secure && !is_this_machine(address.host) {
        let remedy = "use mqtts:// and ca_file; mqtt:// is for a broker on this machine (127.0.0.1)";
        checker.wrong(
            "broker.url",
            "sends alerts to another machine for everybody on the way to read",
            remedy,
        );
    }
    for key in ["broker.ca_file", "broker.cert_file", "broker.key_file"] {
        if !secure && checker.written.is_written(key) {
            checker.wrong(key, "means nothing with mqtt://", "use mqtts://, or take it out");
        }
    }
    let tls = if secure { Some(wardlink::Tls { ca_file: ca_file?, identity }) } else { None };
    Some(wardlink::Settings {
        ward: ward?,
        box_id: box_id?,
        host: address.host.to_owned(),
        port: address.port.unwrap_or(if secure { 8883 } else { 1883 }),
        tls,
        credentials,
        acknowledge: match broker.acknowledge {
            file::Acknowledge::Post => wardlink::Acknowledge::Post,
            file::Acknowledge::Broker => wardlink::Acknowledge::Broker,
        },
        keep_alive: Duration::from_secs_f64(broker.keep_alive_seconds),
        home_assistant: wardlink::HomeAssistant::default(),
    })
}

/// First level of the discovery topics; `None` where discovery is off.
fn home_assistant(checker: &mut Checker, asked: file::HomeAssistant) -> Option<String> {
    let prefix = asked.topic_prefix;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !(1..=64).contains(&prefix.len()) || !prefix.chars().all(fits) {
        let what = format!("{prefix:?} is no level of a topic");
        let remedy = "use 1 to 64 of A-Z, a-z, 0-9, _ and -; Home Assistant's own is \"homeassistant\"";
        checker.wrong("home_assistant.topic_prefix", what, remedy);
    }
    asked.discovery.then_some(prefix)
}

/// True for a loopback address, or `localhost`.
fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn broker_identity(checker: &mut Checker, broker: &file::Broker) -> Option<wardlink::Identity> {
    let cert_file = broker.cert_file.as_ref().and_then(|text| checker.file("broker.cert_file", text));
    let key_file = broker.key_file.as_ref().and_then(|text| checker.private_file("broker.key_file", text));
    let is_written = |key| checker.written.is_written(key);
    match (is_written("broker.cert_file"), is_written("broker.key_file")) {
        (true, false) => {
            checker.wrong("broker.cert_file", "has no key_file beside it", "add key_file: its private key");
        }
        (false, true) => {
            checker.wrong("broker.key_file", "has no cert_file beside it", "add cert_file: its certificate");
        }
        _ => {}
    }
    Some(wardlink::Identity { cert_file: cert_file?, key_file: key_file? })
}

fn detector(checker: &mut Checker, detector: &file::Detector) -> Option<infer::Settings> {
    let choice = if infer::DetectorChoice::is_built_in(&detector.model) {
        Some(infer::DetectorChoice::named(&detector.model))
    } else {
        network(checker, &detector.model).map(infer::DetectorChoice::Network)
    };
    if let Some([width, height]) = detector.input_size
        && [width, height].iter().any(|side| !(32..=4096).contains(side) || side % 16 != 0)
    {
        let what = format!("{width}x{height} is no size of a network's input");
        let remedy = "give columns and rows, each a multiple of the network's largest stride (32 or 64), as [640, 384]";
        checker.wrong("detector.input_size", what, remedy);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Some(infer::Settings {
        detector: choice?,
        input_size: detector
            .input_size
            .map(|[width, height]| base::detector::InputSize { width: width.into(), height: height.into() }),
        score_min: detector.score_min,
        workers: detector.workers.unwrap_or_else(|| cores.saturating_sub(1).max(1)),
        cpu_share_max: detector.cpu_share_max,
        temperature_celsius_max: detector.temperature_celsius_max,
        every_frame: false,
    })
}

fn network(checker: &mut Checker, text: &str) -> Option<std::path::PathBuf> {
    let remedy =
        "use \"street-nano\", \"motion\", or the path of a network's manifest (.toml) or file (.onnx)";
    let path = checker.path("detector.model", text)?;
    let known = path.extension().is_some_and(|extension| extension == "toml" || extension == "onnx");
    if !known {
        checker.wrong("detector.model", format!("{text:?} is no detector"), remedy);
        return None;
    }
    if !path.is_file() {
        checker.wrong("detector.model", format!("there is no file {}", path.display()), remedy);
        return None;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    #[test]
    fn a_password_can_be_a_systemd_credential() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardwatch.toml");
        let text = "[box]\nward = \"w\"\nid = \"b\"\n[broker]\nurl = \"mqtt://localhost\"\nuser = \"box\"\n\
                    password_file = \"credential:broker\"\n";
        std::fs::write(&path, text).unwrap();
        let problems = load(&path, None).unwrap_err().0;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].line, problems[0].key.as_str()), (7, "broker.password_file"));
        assert!(problems[0].remedy.contains("LoadCredential=broker:"), "{}", problems[0].remedy);
        let mut private = std::fs::OpenOptions::new();
        let file = private.write(true).create(true).mode(0o400).open(folder.path().join("broker"));
        std::io::Write::write_all(&mut file.unwrap(), b"hunter2").unwrap();
        let settings = load(&path, Some(folder.path())).unwrap();
        assert_eq!(settings.broker.credentials.unwrap().password.reveal(), "hunter2");
        std::fs::write(&path, text.replace(":broker", ":../broker")).unwrap();
        let problems = load(&path, Some(folder.path())).unwrap_err().0;
        assert_eq!(problems[0].what, "names no credential");
    }
}
