//! The post's configuration: as written in a file or on the command line, then checked. Reads files, and reports all faults
//! at once.

mod duty;
mod page;

use std::fmt;
use std::io::ErrorKind;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
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
pub use page::{PageSettings, WrittenPage};

/// Remedy for a secret that the service's user may not read.
const HAND_OVER: &str = "write \"credential:secrets_NAME\" for the file NAME in /etc/wardwatch/post-secrets: systemd hands it to \
                         the service";

/// Default path of the configuration.
pub const DEFAULT_PATH: &str = "/etc/wardwatch/wardpost.toml";
/// Default path of the database.
pub const DEFAULT_DATABASE: &str = "/var/lib/wardpost/post.sqlite";
/// Default of `free_bytes_min`.
const FREE_BYTES_MIN: u64 = 512 << 20;
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
    /// Bytes of the database's disk below which no alert is taken.
    pub free_bytes_min: u64,
    /// The duty officers' page; `None` where it is switched off.
    pub page: Option<PageSettings>,
    /// Language and time zone of the officers.
    pub showing: Showing,
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
    /// Bytes of the database's disk below which the receiver takes no alert.
    pub free_bytes_min: u64,
    /// Silence of a box after which it is reported.
    pub silent_after: Duration,
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
    /// Section `[page]`.
    pub page: WrittenPage,
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
    pub free_bytes_min: Option<u64>,
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
        let others = [
            &mut written.post.database,
            &mut written.escalation.program,
            &mut written.escalation.ca_file,
            &mut written.page.cert_file,
            &mut written.page.key_file,
        ];
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
                free_bytes_min: over.post.free_bytes_min.or(post.free_bytes_min),
                timezone: over.post.timezone.or(post.timezone),
                language: over.post.language.or(post.language),
            },
            // The command line has neither of these.
            events: self.events,
            escalation: self.escalation,
            page: self.page.overlaid(over.page),
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
        let silent_after = self.silent_after();
        if silent_after.is_zero() {
            problems.push("post.silent_after_seconds (--silent-after): 0 makes every box silent; boxes send at least every 60 s, give 120 or more".to_owned());
        }
        let keep_days = post.keep_days.unwrap_or(90);
        let keep_days = within("post.keep_days (--keep-days)", keep_days, 1..=36_500, &mut problems);
        let showing = self.shown(&mut problems);
        let page = self.page.settings(&mut problems);
        let duty = duty::checked(&self.events, &self.escalation, &mut problems);
        match broker {
            Some(broker) if problems.is_empty() => Ok(Settings {
                broker,
                ward,
                database: self.database(),
                silent_after,
                keep: Duration::from_secs(keep_days * 24 * 3600),
                duty,
                free_bytes_min: self.free_bytes_min(),
                page,
                showing,
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
        let (free_bytes_min, silent_after) = (self.free_bytes_min(), self.silent_after());
        Showing { database: self.database(), timezone, language, free_bytes_min, silent_after }
    }

    fn free_bytes_min(&self) -> u64 {
        self.post.free_bytes_min.unwrap_or(FREE_BYTES_MIN)
    }

    fn silent_after(&self) -> Duration {
        Duration::from_secs(self.post.silent_after_seconds.unwrap_or(300))
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
        let keep_alive = written.keep_alive_seconds.unwrap_or(15);
        let keep_alive =
            Duration::from_secs(within("broker.keep_alive_seconds", keep_alive, 1..=3600, problems));
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

/// A number, after a problem where it is not in its range.
fn within(key: &str, value: u64, range: RangeInclusive<u64>, problems: &mut Vec<String>) -> u64 {
    if !range.contains(&value) {
        problems.push(format!("{key}: {value} is not from {} to {}", range.start(), range.end()));
    }
    value
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
mod tests;
