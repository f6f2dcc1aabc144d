//! Section `[page]` of the configuration: the duty officers' page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{credential, within};
use wardlink::tls;

/// Address at which the page is served by default.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8460";

/// Settings of the page.
#[derive(Debug, Clone, PartialEq)]
pub struct PageSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// PEM files of the certificate chain and its private key; `None` without HTTPS.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Time without any act of the officer after which the PIN is asked for.
    pub lock_after: Duration,
    /// Time after which an officer logs in again.
    pub login_for: Duration,
    /// Every page says that it is a demonstration.
    pub is_demonstration: bool,
}

/// Section `[page]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "deploy/etc/wardwatch/wardpost.toml says what each key is")]
pub struct WrittenPage {
    pub enabled: Option<bool>,
    pub listen: Option<String>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub lock_after_minutes: Option<u64>,
    pub login_hours: Option<u64>,
}

impl WrittenPage {
    /// The values of `over` where it has one, else of `self`.
    pub(super) fn overlaid(self, over: Self) -> Self {
        Self {
            enabled: over.enabled.or(self.enabled),
            listen: over.listen.or(self.listen),
            cert_file: over.cert_file.or(self.cert_file),
            key_file: over.key_file.or(self.key_file),
            lock_after_minutes: over.lock_after_minutes.or(self.lock_after_minutes),
            login_hours: over.login_hours.or(self.login_hours),
        }
    }

    /// Settings of the page; `None` where it is switched off, or has a fault.
    pub(super) fn settings(&self, problems: &mut Vec<String>) -> Option<PageSettings> {
        if self.enabled == Some(false) {
            return None;
        }
        let listen = self.listen.as_deref().unwrap_or(DEFAULT_LISTEN);
        let listen: Option<SocketAddr> = listen
            .parse()
            .map_err(|_| {
                problems.push(format!(
                    "page.listen \"{listen}\": give an address with its port, as \"127.0.0.1:8460\" or \"[::1]:8460\""
                ));
            })
            .ok();
        let identity = self.identity(problems);
        if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback() && identity.is_none()) {
            problems.push(format!(
                "page.listen \"{listen}\": pictures and passwords would cross the network for everybody on the way to read; give \
                 page.cert_file and page.key_file, or listen on 127.0.0.1"
            ));
        }
        let lock_after =
            within("page.lock_after_minutes", self.lock_after_minutes.unwrap_or(15), 1..=240, problems);
        let login_hours = within("page.login_hours", self.login_hours.unwrap_or(14), 1..=24 * 7, problems);
        Some(PageSettings {
            listen: listen?,
            identity,
            lock_after: Duration::from_secs(lock_after * 60),
            login_for: Duration::from_secs(login_hours * 3600),
            is_demonstration: false,
        })
    }

    fn identity(&self, problems: &mut Vec<String>) -> Option<(PathBuf, PathBuf)> {
        match (&self.cert_file, &self.key_file) {
            (None, None) => None,
            (Some(cert), Some(key)) => {
                let (cert, key) = (credential(cert), credential(key));
                if let Err(error) = tls::server_config(&cert, &key) {
                    problems.push(format!("page.{error}"));
                }
                Some((cert, key))
            }
            _ => {
                problems.push("page.cert_file and page.key_file go together; give both or none".to_owned());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<PageSettings>, Vec<String>) {
        let mut problems = Vec::new();
        let settings = toml::from_str::<WrittenPage>(text).unwrap().settings(&mut problems);
        (settings, problems)
    }

    #[test]
    fn the_page_is_on_the_loopback_unless_told_otherwise() {
        let (settings, problems) = read("");
        assert_eq!((settings.unwrap().listen.to_string().as_str(), problems.len()), (DEFAULT_LISTEN, 0));
        assert_eq!(read("enabled = false"), (None, Vec::new()));
    }

    #[test]
    fn faults_are_named_with_their_remedy() {
        for (text, part) in [
            ("listen = \"0.0.0.0:8460\"", "page.cert_file and page.key_file, or listen on 127.0.0.1"),
            ("listen = \"localhost\"", "give an address with its port"),
            ("cert_file = \"a.pem\"", "go together"),
            ("cert_file = \"/none/a.pem\"\nkey_file = \"/none/b.pem\"", "page.cert_file /none/a.pem"),
            ("lock_after_minutes = 0", "page.lock_after_minutes: 0 is not from 1 to 240"),
            ("login_hours = 1000", "page.login_hours: 1000 is not from 1 to 168"),
        ] {
            let problems = read(text).1;
            assert!(problems.len() == 1 && problems[0].contains(part), "{text}: {problems:?}");
        }
    }
}
