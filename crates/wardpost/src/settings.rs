//! The post's configuration: as written in a file or on the command line, then checked. Reads files, and reports all faults
//! at once.

mod duty;

use std::fmt;
use std::io::ErrorKind;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::presentation::{Language, Presentation};
use base::ids::WardId;
use base::language::TIMEZONE;
use base::secret::Credentials;
use base::text;
use program::config::{self, Problem, credential_name};
use wardlink::tls;

pub use duty::{DutySettings, WrittenEscalation, WrittenEvents};

/// Remedy for a secret that the service's user may not read.
const HAND_OVER: &str = "write \"credential:secrets_NAME\" for the file NAME in /etc/wardwatch/post-secrets: systemd hands it to \
                         the service";

/// Default path of the configuration.
pub const DEFAULT_PATH: &str = "/etc/wardwatch/wardpost.toml";
/// Default path of the database.
pub const DEFAULT_DATABASE: &str = "/var/lib/wardpost/post.sqlite";
/// Remedy where the configuration cannot be read.
const UNREADABLE: &str = "name a configuration that this user may read, or leave --config out";

/// Settings of the receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The broker.
    pub broker: Broker,
    /// The ward; `None` for all that the broker has.
    pub ward: Option<WardId>,
    /// The database.
    pub database: PathBuf,
    /// Silence of a box after which it is reported.
    pub silent_after: Duration,
    /// Age at which alerts are removed.
    pub keep: Duration,
    /// Events, and the post's own steps about them.
    pub duty: DutySettings,
}

/// The broker, and the identity of the post to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS, or plain TCP for a broker on the same machine.
    pub tls: Option<Tls>,
    /// User name and password, where the broker asks for them.
    pub credentials: Option<Credentials>,
    /// MQTT client id; `None` for one that goes with the database. The broker keeps messages for this id while the
    /// post is down.
    pub client_id: Option<String>,
    /// Longest silence on the connection before it is checked.
    pub keep_alive: Duration,
}

/// PEM files with which the broker and the post prove their identities.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// The authority that signed the broker's certificate.
    pub ca_file: PathBuf,
    /// The post's own certificate chain and private key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Files for [`tls::client_config`].
    pub fn files(&self) -> tls::Files<'_> {
        tls::Files {
            ca_file: &self.ca_file,
            identity: self.identity.as_ref().map(|(cert, key)| (cert.as_path(), key.as_path())),
            chain: "a PEM file with this post's certificate chain",
        }
    }
}

/// Settings of the commands that show alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct Showing {
    /// The database.
    pub database: PathBuf,
    /// The time zone, where one is set.
    pub timezone: Option<TimeZone>,
    /// The language, where one is set.
    pub language: Option<Language>,
}

impl Showing {
    /// The form of texts: Vietnamese in the wards' time zone where nothing else is set.
    pub fn presentation(self, colours: bool) -> Presentation {
        // A machine without time zones has its own one.
        let timezone =
            self.timezone.unwrap_or_else(|| TimeZone::get(TIMEZONE).unwrap_or_else(|_| TimeZone::system()));
        Presentation { language: self.language.unwrap_or_default(), timezone, colours }
    }
}

/// All faults of a configuration. A fault of the file comes first, with its line and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError(pub Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// A configuration as it is written; every key may be left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Written {
    /// Section `[broker]`.
    pub broker: WrittenBroker,
    /// Section `[post]`.
    pub post: WrittenPost,
    /// Section `[events]`.
    pub events: WrittenEvents,
    /// Section `[escalation]`.
    pub escalation: WrittenEscalation,
    /// Faults of keys and types in the file; the keys that they are about are left out.
    #[serde(skip)]
    pub problems: Vec<Problem>,
}

/// Section `[broker]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "deploy/etc/wardwatch/wardpost.toml says what each key is")]
pub struct WrittenBroker {
    pub url: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub client_id: Option<String>,
    pub keep_alive_seconds: Option<u64>,
}

/// Section `[post]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "deploy/etc/wardwatch/wardpost.toml says what each key is")]
pub struct WrittenPost {
    pub ward: Option<String>,
    pub database: Option<PathBuf>,
    pub silent_after_seconds: Option<u64>,
    pub keep_days: Option<u64>,
    pub timezone: Option<String>,
    pub language: Option<String>,
}

impl Written {
    /// Reads a file; relative paths in it count from its folder. Faults of single keys are kept, so that
    /// [`Self::settings`] reports them with all others.
    ///
    /// # Errors
    /// It cannot be read, or is not TOML.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        // Without a folder: `conf.d` there is the box's, on a machine that is both.
        let mut found = config::Written::read(path, None, UNREADABLE);
        let values = config::parse::<Self>(&mut found, "wardpost");
        let (is_broken, folder) = (found.is_broken(), found.base().to_owned());
        let problems = found.into_problems().0;
        let mut written = match values {
            Some(values) if !is_broken => values,
            _ => return Err(SettingsError(problems.iter().map(Problem::to_string).collect())),
        };
        let broker = &mut written.broker;
        let files =
            [&mut broker.ca_file, &mut broker.cert_file, &mut broker.key_file, &mut broker.password_file];
        let others =
            [&mut written.post.database, &mut written.escalation.program, &mut written.escalation.ca_file];
        for file in files.into_iter().chain(others).flatten() {
            if credential_name(&file.to_string_lossy()).is_none() {
                *file = folder.join(&*file);
            }
        }
        written.problems = problems;
        Ok(written)
    }

    /// The values of `over` where it has one, else of `self`.
    pub fn overlaid(self, over: Self) -> Self {
        let (broker, post) = (self.broker, self.post);
        Self {
            broker: WrittenBroker {
                url: over.broker.url.or(broker.url),
                ca_file: over.broker.ca_file.or(broker.ca_file),
                cert_file: over.broker.cert_file.or(broker.cert_file),
                key_file: over.broker.key_file.or(broker.key_file),
                user: over.broker.user.or(broker.user),
                password_file: over.broker.password_file.or(broker.password_file),
                client_id: over.broker.client_id.or(broker.client_id),
                keep_alive_seconds: over.broker.keep_alive_seconds.or(broker.keep_alive_seconds),
            },
            post: WrittenPost {
                ward: over.post.ward.or(post.ward),
                database: over.post.database.or(post.database),
                silent_after_seconds: over.post.silent_after_seconds.or(post.silent_after_seconds),
                keep_days: over.post.keep_days.or(post.keep_days),
                timezone: over.post.timezone.or(post.timezone),
                language: over.post.language.or(post.language),
            },
            // The command line has neither.
            events: self.events,
            escalation: self.escalation,
            problems: self.problems,
        }
    }

    /// Settings of the receiver.
    ///
    /// # Errors
    /// All faults.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let mut problems = self.faults_of_the_file();
        let post = &self.post;
        let ward = match post.ward.as_deref() {
            None | Some("+") => None,
            Some(ward) => {
                ward.parse().map_err(|error| problems.push(format!("post.ward (--ward): {error}"))).ok()
            }
        };
        let broker = self.broker(ward.as_ref(), &mut problems);
        let silent_after_seconds = post.silent_after_seconds.unwrap_or(300);
        if silent_after_seconds == 0 {
            problems.push("post.silent_after_seconds (--silent-after): 0 makes every box silent; boxes send at least every 60 s, give 120 or more".to_owned());
        }
        let keep_days = post.keep_days.unwrap_or(90);
        if !(1..=36_500).contains(&keep_days) {
            problems.push(format!("post.keep_days (--keep-days): {keep_days} is not from 1 to 36500"));
        }
        self.shown(&mut problems);
        let duty = duty::checked(&self.events, &self.escalation, &mut problems);
        match broker {
            Some(broker) if problems.is_empty() => Ok(Settings {
                broker,
                ward,
                database: self.database(),
                silent_after: Duration::from_secs(silent_after_seconds),
                keep: Duration::from_secs(keep_days * 24 * 3600),
                duty,
            }),
            _ => Err(SettingsError(problems)),
        }
    }

    /// Settings of the commands that show alerts.
    ///
    /// # Errors
    /// All faults.
    pub fn showing(&self) -> Result<Showing, SettingsError> {
        let mut problems = self.faults_of_the_file();
        let showing = self.shown(&mut problems);
        if problems.is_empty() { Ok(showing) } else { Err(SettingsError(problems)) }
    }

    fn faults_of_the_file(&self) -> Vec<String> {
        self.problems.iter().map(Problem::to_string).collect()
    }

    fn shown(&self, problems: &mut Vec<String>) -> Showing {
        let mut timezone = None;
        if let Some(name) = &self.post.timezone {
            let wrong =
                |error| problems.push(format!("post.timezone: {error}; give a name as \"Asia/Ho_Chi_Minh\""));
            timezone = TimeZone::get(name).map_err(wrong).ok();
        }
        let mut language = None;
        if let Some(name) = &self.post.language {
            language =
                name.parse().map_err(|error| problems.push(format!("post.language (--lang): {error}"))).ok();
        }
        Showing { database: self.database(), timezone, language }
    }

    fn database(&self) -> PathBuf {
        self.post.database.clone().unwrap_or_else(|| DEFAULT_DATABASE.into())
    }

    fn broker(&self, ward: Option<&WardId>, problems: &mut Vec<String>) -> Option<Broker> {
        let written = &self.broker;
        let Some(url) = &written.url else {
            if !self.problems.iter().any(|problem| problem.key == "broker.url" || problem.key == "broker") {
                problems.push(
                    "broker.url (--broker) is missing; give mqtts://HOST:8883, or mqtt://127.0.0.1:1883 for a broker on \
                     this machine"
                        .to_owned(),
                );
            }
            return None;
        };
        let (host, port, is_tls) = address(url)
            .map_err(|what| problems.push(format!("broker.url (--broker) \"{url}\": {what}")))
            .ok()?;
        if !is_tls && !wardlink::is_this_machine(&host) {
            problems.push(format!(
                "broker.url (--broker) \"{url}\": alerts and passwords would cross the network for everybody on the way to \
                 read; use mqtts:// and ca_file, mqtt:// is for a broker on this machine (127.0.0.1)"
            ));
        }
        let tls = self.tls(is_tls, problems);
        let credentials = self.credentials(problems);
        let client_id = written.client_id.clone().or_else(|| ward.map(|ward| format!("wardpost-{ward}")));
        if client_id.as_ref().is_some_and(String::is_empty) {
            problems.push(
                "broker.client_id (--client-id): must say something, so that the broker knows the post again"
                    .to_owned(),
            );
        }
        let keep_alive_seconds = written.keep_alive_seconds.unwrap_or(15);
        if !(1..=3600).contains(&keep_alive_seconds) {
            problems.push(format!("broker.keep_alive_seconds: {keep_alive_seconds} is not from 1 to 3600"));
        }
        let keep_alive = Duration::from_secs(keep_alive_seconds);
        Some(Broker { host, port, tls, credentials, client_id, keep_alive })
    }

    fn tls(&self, is_tls: bool, problems: &mut Vec<String>) -> Option<Tls> {
        let written = &self.broker;
        if !is_tls {
            if written.ca_file.is_some() || written.cert_file.is_some() || written.key_file.is_some() {
                problems.push(
                    "broker.ca_file, cert_file and key_file need a broker.url that begins with mqtts://"
                        .to_owned(),
                );
            }
            return None;
        }
        let Some(ca_file) = &written.ca_file else {
            problems.push("broker.ca_file (--ca) is missing; mqtts needs the PEM file of the authority that signed the broker's certificate".to_owned());
            return None;
        };
        let identity = match (&written.cert_file, &written.key_file) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((credential(cert), credential(key))),
            _ => {
                problems.push(
                    "broker.cert_file (--cert) and broker.key_file (--key) go together; give both or none"
                        .to_owned(),
                );
                None
            }
        };
        let tls = Tls { ca_file: credential(ca_file), identity };
        if let Err(error) = tls::client_config(tls.files()) {
            let key = tls.identity.as_ref().map(|(_, key)| std::fs::File::open(key));
            let is_denied = matches!(key, Some(Err(error)) if error.kind() == ErrorKind::PermissionDenied);
            let remedy = if is_denied { format!("; {HAND_OVER}") } else { String::new() };
            problems.push(format!("broker.{error}{remedy}"));
        }
        Some(tls)
    }

    fn credentials(&self, problems: &mut Vec<String>) -> Option<Credentials> {
        let (user, file) = match (&self.broker.user, &self.broker.password_file) {
            (None, None) => return None,
            (Some(user), Some(file)) => (user.clone(), credential(file)),
            _ => {
                problems.push("broker.user (--user) and broker.password_file (--password-file) go together; give both or none".to_owned());
                return None;
            }
        };
        match config::password(&file) {
            Ok(password) => Some(Credentials { user, password }),
            Err(error) => {
                let path = file.display();
                let by_kind = match error.kind() {
                    ErrorKind::PermissionDenied => HAND_OVER,
                    _ => "give a file that holds nothing but the password",
                };
                let remedy = text::remedy(&error).unwrap_or(by_kind);
                problems.push(format!("broker.password_file (--password-file) {path}: {error}; {remedy}"));
                None
            }
        }
    }
}

/// "credential:NAME" is the systemd credential NAME.
fn credential(path: &Path) -> PathBuf {
    match (path.to_str().and_then(credential_name), std::env::var_os("CREDENTIALS_DIRECTORY")) {
        (Some(name), Some(folder)) => Path::new(&folder).join(name),
        _ => path.to_owned(),
    }
}

/// Host as the MQTT client expects it, port, and true for TLS.
fn address(url: &str) -> Result<(String, u16, bool), String> {
    const RIGHT: &str = "give mqtts://HOST:8883, or mqtt://HOST:1883 for a broker on the same machine";
    let (rest, is_tls) = match (url.strip_prefix("mqtts://"), url.strip_prefix("mqtt://")) {
        (Some(rest), _) => (rest, true),
        (_, Some(rest)) => (rest, false),
        _ => return Err(RIGHT.to_owned()),
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('@') {
        return Err(
            "user and password do not stand in a URL; give broker.user and broker.password_file".to_owned()
        );
    }
    // A colon before a bracket belongs to an IPv6 address.
    let (host, port) = match rest.rfind(':').filter(|at| !rest[*at..].contains(']')) {
        Some(at) => (
            &rest[..at],
            rest[at + 1..].parse().map_err(|_| format!("\"{}\" is no port; {RIGHT}", &rest[at + 1..]))?,
        ),
        None => (rest, if is_tls { 8883 } else { 1883 }),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
    };
    if is_host { Ok((host.to_owned(), port, is_tls)) } else { Err(format!("\"{host}\" is no host; {RIGHT}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../deploy/etc/wardwatch/wardpost.toml");

    fn written(text: &str) -> Written {
        toml::from_str(text).unwrap()
    }

    fn problems(text: &str) -> String {
        written(text).settings().unwrap_err().to_string()
    }

    /// The example with every optional key uncommented.
    fn example_in_full() -> String {
        let full = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') && key.contains(" = ") => key,
            _ => line,
        });
        full.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_shipped_example_is_valid_and_names_every_key() {
        let example = written(EXAMPLE);
        assert_eq!(example.broker.url.as_deref(), Some("mqtts://post.example:8883"));
        let full = written(&example_in_full());
        let WrittenBroker {
            url,
            ca_file,
            cert_file,
            key_file,
            user,
            password_file,
            client_id,
            keep_alive_seconds,
        } = full.broker.clone();
        assert!(url.is_some() && ca_file.is_some() && cert_file.is_some() && key_file.is_some());
        assert!(user.is_some() && password_file.is_some());
        let WrittenPost { ward, database, silent_after_seconds, keep_days, timezone, language } =
            full.post.clone();
        assert!(ward.is_some() && timezone.is_some() && language.is_some());
        let WrittenEvents { group_seconds, group_by, return_after_seconds } = full.events.clone();
        assert!(group_seconds.is_some() && group_by.is_some() && return_after_seconds.is_some());
        let WrittenEscalation { program, url, ca_file, timeout_seconds, .. } = full.escalation.clone();
        assert!(program.is_some() && url.is_some() && ca_file.is_some() && timeout_seconds.is_some());
        // A hook is a program or an address; the others are those of left-out keys.
        let steps = WrittenEscalation { program: None, url: None, ca_file: None, ..full.escalation.clone() };
        assert!(steps.louder_after_seconds.is_some() && steps.commander_after_seconds.is_some());
        assert!(steps.hook_after_seconds.is_some() && steps.least_severity.is_some());
        let mut problems = Vec::new();
        assert_eq!(duty::checked(&full.events, &steps, &mut problems), DutySettings::default());
        assert!(problems.is_empty(), "{problems:?}");
        full.showing().unwrap();
        // The values of the example are those of left-out keys.
        let plain =
            written("[broker]\nurl = \"mqtt://localhost\"\n[post]\nward = \"ben-nghe\"").settings().unwrap();
        assert_eq!(client_id, plain.broker.client_id);
        assert_eq!(keep_alive_seconds.unwrap(), plain.broker.keep_alive.as_secs());
        assert_eq!(database.unwrap(), plain.database);
        assert_eq!(silent_after_seconds.unwrap(), plain.silent_after.as_secs());
        assert_eq!(keep_days.unwrap() * 86_400, plain.keep.as_secs());
    }

    #[test]
    fn unknown_keys_are_errors_with_their_place() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("wardpost.toml");
        std::fs::write(&path, "[post]\nwards = \"a\"\n").unwrap();
        let error = Written::read(&path).unwrap().showing().unwrap_err().to_string();
        let expected = format!("{}:2: post.wards: there is no such key here\n", path.display());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("-> did you mean ward? There are: database, keep_days, language"), "{error}");
    }

    #[test]
    fn faults_of_the_file_come_together_with_those_of_the_values() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("wardpost.toml");
        let text = "[broker]\nurl = 1883\nport = 1\n[post]\nkeep_days = 0\nsilent_after_seconds = -1\n\
                    [post.more]\n[brocker]\n";
        std::fs::write(&path, text).unwrap();
        std::fs::create_dir(place.path().join("conf.d")).unwrap();
        // The box's, on a machine that is both.
        std::fs::write(place.path().join("conf.d/box.toml"), "[box]\nid = \"gate\"\n").unwrap();
        let said = Written::read(&path).unwrap().settings().unwrap_err().0;
        let starts = [
            "2: broker.url: is a number, where text is expected",
            "3: broker.port: there is no such key here",
            "6: post.silent_after_seconds: -1 is out of range",
            "7: post.more: there is no such key here",
            "8: brocker: there is no such key here\n    -> did you mean broker?",
        ];
        for (said, start) in said.iter().zip(starts) {
            assert!(said.starts_with(&format!("{}:{start}", path.display())), "{said}");
        }
        assert_eq!(said[starts.len()..], ["post.keep_days (--keep-days): 0 is not from 1 to 36500"]);
        // After a fault of the whole file, others may be a consequence.
        std::fs::write(&path, format!("{text}[post\n")).unwrap();
        let said = Written::read(&path).unwrap_err().0;
        assert!(said.len() == 1 && said[0].contains("wardpost.toml:9: "), "{said:?}");
        let missing = Written::read(Path::new("/nowhere.toml")).unwrap_err().to_string();
        let expected = "/nowhere.toml: cannot be read: No such file or directory (os error 2)\n    \
                        -> name a configuration that this user may read, or leave --config out";
        assert_eq!(missing, expected);
    }

    #[test]
    fn a_file_names_others_beside_it_and_the_command_line_goes_first() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("wardpost.toml");
        std::fs::write(place.path().join("secret"), "hunter2\n").unwrap();
        let text = "[broker]\nurl = \"mqtt://localhost:1\"\nuser = \"post\"\npassword_file = \"secret\"\n[post]\nward = \"+\"";
        std::fs::write(&path, text).unwrap();
        let over = written("[broker]\nurl = \"mqtt://[::1]:7\"\n");
        let settings = Written::read(&path).unwrap().overlaid(over).settings().unwrap();
        assert_eq!((settings.broker.host.as_str(), settings.broker.port, settings.ward), ("[::1]", 7, None));
        let credentials = settings.broker.credentials.unwrap();
        assert_eq!(credentials.password.reveal(), "hunter2");
        assert_eq!(settings.broker.client_id, None);
    }

    #[test]
    fn files_in_other_encodings_say_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        let (path, password) = (place.path().join("wardpost.toml"), place.path().join("secret"));
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for bytes in [utf16(EXAMPLE), b"[post]\nward = \"B\xean\"\n".to_vec()] {
            std::fs::write(&path, bytes).unwrap();
            let error = Written::read(&path).unwrap_err().to_string();
            assert!(error.contains("encoding") && error.contains("UTF-8"), "{error}");
        }
        // With the byte order mark that an editor of Windows writes.
        let text = "[broker]\nurl = \"mqtt://localhost:1\"\nuser = \"post\"\npassword_file = \"secret\"\n";
        std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
        std::fs::write(&password, "\u{feff}hunter2\r\n").unwrap();
        let settings = Written::read(&path).unwrap().settings().unwrap();
        assert_eq!(settings.broker.credentials.unwrap().password.reveal(), "hunter2");
        std::fs::write(&password, utf16("hunter2\n")).unwrap();
        let error = Written::read(&path).unwrap().settings().unwrap_err().to_string();
        assert!(
            error.contains("password_file") && error.contains("UTF-16") && error.contains("iconv"),
            "{error}"
        );
    }

    #[test]
    fn all_problems_are_said_at_once() {
        let said = problems(
            "[broker]\nurl = \"mqtts://post\"\nuser = \"a\"\ncert_file = \"x\"\n\
             [post]\nward = \"Bến\"\nsilent_after_seconds = 0\nkeep_days = 0\nlanguage = \"fr\"\ntimezone = \"Mars\"",
        );
        for key in ["ca_file", "password_file", "ward", "silent_after", "keep_days", "language", "timezone"] {
            assert!(said.contains(key), "{key}: {said}");
        }
        for url in [
            "post",
            "mqtt://",
            "mqtt://a b",
            "mqtt://u:p@host",
            "mqtt://host:x",
            "http://host",
            "mqtt://[zz]",
        ] {
            assert!(problems(&format!("[broker]\nurl = \"{url}\"")).contains("mqtt"), "{url}");
        }
        assert!(problems("").contains("broker.url (--broker) is missing"));
    }

    #[test]
    fn another_machine_is_reached_over_tls_only() {
        for host in ["post.example:1883", "192.168.1.5", "[fe80::1]:1883"] {
            let said = problems(&format!("[broker]\nurl = \"mqtt://{host}\""));
            assert!(said.contains("use mqtts:// and ca_file"), "{host}: {said}");
        }
    }
}
