//! The way from the written values to the settings: reads, then checks part by part, and collects the problems.

use std::path::Path;

use super::file::{self, File};
use super::outside::Checker;
use super::settings::Settings;
use super::{broker, calendar, cameras, detector, rules, store, written};
use base::language::Language;
use program::config::{Problems, parse};

/// File beside the store's own ones, with the topics of messages to Home Assistant.
const TOPICS_FILE: &str = "home-assistant-topics";

/// Reads and checks `path` and `conf.d/*.toml` beside it. Reads files, password files among them, and changes nothing:
/// a caller that reloads keeps its settings until this returns `Ok`.
///
/// `credentials_directory` is the folder of the unit's credentials, set by systemd.
///
/// # Errors
/// All problems, at once.
pub(super) fn load(path: &Path, credentials_directory: Option<&Path>) -> Result<Settings, Problems> {
    let mut written = written(path);
    let settings = parse::<File>(&mut written, "wardwatch check")
        .and_then(|file| checked(&mut Checker { written: &mut written, credentials_directory }, file));
    let warnings = written.take_warnings();
    let problems = written.into_problems();
    match settings {
        Some(settings) if problems.0.is_empty() => Ok(Settings { warnings, ..settings }),
        _ => {
            debug_assert!(!problems.0.is_empty(), "what is missing from the settings has been noted");
            Err(problems)
        }
    }
}

/// `None` only if a problem has been noted.
fn checked(checker: &mut Checker, file: File) -> Option<Settings> {
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
    Some(Settings {
        ward: ward?,
        box_id: box_id?,
        holidays: calendar.as_ref()?.holidays.clone(),
        timezone: calendar?.timezone,
        language,
        store: store?,
        broker: broker?,
        detect: detect?,
        places: cameras.iter().map(cameras::Checked::places).collect(),
        cameras: cameras.into_iter().map(|camera| camera.settings).collect(),
        rules,
        warnings: Vec::new(),
    })
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
