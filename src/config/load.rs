//! The way from the written values to the settings: reads, then checks part by part, and collects the problems.

use std::collections::BTreeMap;

use super::file::{self, File};
use super::outside::{Checker, Outside};
use super::settings::{Camera, Places, Settings};
use super::{broker, calendar, cameras, detector, rules, store};
use crate::infer;
use analysis::rules::{RuleSettings, Schedule};
use base::ids::{BoxId, CameraId, WardId};
use base::language::Language;
use program::config::{Problem, Problems, Written, parse};

/// File beside the store's own ones, with the topics of messages to Home Assistant.
const TOPICS_FILE: &str = "home-assistant-topics";

/// The checked values; a missing one has a fault.
pub(super) struct Checked {
    pub(super) ward: Option<WardId>,
    pub(super) box_id: Option<BoxId>,
    pub(super) calendar: Option<Schedule>,
    pub(super) language: Language,
    pub(super) store: Option<clipstore::Settings>,
    pub(super) broker: Option<wardlink::Settings>,
    pub(super) detect: Option<infer::Settings>,
    pub(super) cameras: Vec<Camera>,
    pub(super) rules: Vec<RuleSettings>,
    pub(super) places: BTreeMap<CameraId, Places>,
    pub(super) warnings: Vec<Problem>,
}

/// Checks a configuration as it is written. Reads files, password files among them, and changes nothing: a caller that
/// reloads keeps its settings until this returns `Ok`.
///
/// # Errors
/// All problems, at once.
pub(super) fn load(written: Written, outside: &Outside) -> Result<Settings, Problems> {
    let (checked, problems) = check(written, outside);
    match checked.and_then(Checked::whole) {
        Some(settings) if problems.0.is_empty() => Ok(settings),
        _ => {
            debug_assert!(!problems.0.is_empty(), "what is missing from the settings has been noted");
            Err(problems)
        }
    }
}

/// The values without a fault, and all problems.
pub(super) fn check(mut written: Written, outside: &Outside) -> (Option<Checked>, Problems) {
    let file = parse::<File>(&mut written, "wardwatch check");
    let mut checker = Checker { written: &mut written, outside };
    checker.readable_files();
    let mut checked = file.map(|file| checked(&mut checker, file));
    if let Some(checked) = &mut checked {
        checked.warnings = written.take_warnings();
    }
    (checked, written.into_problems())
}

fn checked(checker: &mut Checker, file: File) -> Checked {
    let language = file.identity.as_ref().map(|identity| identity.language).unwrap_or_default();
    let language = match language {
        file::Language::Vi => Language::Vietnamese,
        file::Language::En => Language::English,
    };
    let identity = file.identity.map(|identity| calendar::identity(checker, identity));
    let (ward, box_id, calendar) = identity.unwrap_or_default();
    let store = store::checked(checker, &file.store, &file.camera);
    let broker =
        file.broker.and_then(|broker| broker::checked(checker, broker, ward.clone(), box_id.clone()));
    let prefix = broker::home_assistant(checker, file.home_assistant);
    let broker = broker.zip(store.as_ref()).map(|(mut broker, store)| {
        broker.home_assistant = wardlink::HomeAssistant { prefix, file: store.directory.join(TOPICS_FILE) };
        broker
    });
    let detect = detector::checked(checker, &file.detector);
    let cameras = cameras::checked(checker, file.camera);
    let detector = detect.as_ref().map(|detect| &detect.detector);
    let mut rules = rules::checked(checker, file.rule, &cameras, calendar.as_ref(), detector);
    if let Some(calendar) = &calendar {
        rules.extend(rules::by_default(&rules, &cameras, calendar, language));
    }
    Checked {
        ward,
        box_id,
        calendar,
        language,
        store,
        broker,
        detect,
        places: cameras.iter().map(cameras::Checked::places).collect(),
        cameras: cameras.into_iter().map(|camera| camera.settings).collect(),
        rules,
        warnings: Vec::new(),
    }
}

impl Checked {
    /// `None` only if a problem has been noted.
    fn whole(self) -> Option<Settings> {
        let calendar = self.calendar?;
        Some(Settings {
            ward: self.ward?,
            box_id: self.box_id?,
            holidays: calendar.holidays,
            timezone: calendar.timezone,
            language: self.language,
            store: self.store?,
            broker: self.broker?,
            detect: self.detect?,
            cameras: self.cameras,
            rules: self.rules,
            places: self.places,
            warnings: self.warnings,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use std::path::Path;

    use super::*;

    fn load(path: &Path, credentials_directory: Option<&Path>) -> Result<Settings, Problems> {
        let outside = Outside {
            credentials_directory: credentials_directory.map(Path::to_owned),
            ..Outside::default()
        };
        super::load(super::super::written(path), &outside)
    }

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
