//! Sections `[events]` and `[escalation]`: how alerts become events, and the steps where nobody takes one.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::within;
use crate::events::{Escalation, GroupBy, Grouping, Targets};
use crate::hook::{Hook, Target};
use crate::storage::DutyRules;
use base::event::Severity;

/// Longest waiting time of a level, and longest inactivity: four hours.
const WAIT_MAX: u64 = 4 * 3600;
/// Longest time between two alerts of one event.
const GROUP_MAX: u64 = 600;
/// Longest call of the hook.
const HOOK_MAX: u64 = 60;

/// Settings of events and of the post's own steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DutySettings {
    /// Alerts that are one event.
    pub grouping: Grouping,
    /// Times within which an event is to be taken.
    pub targets: Targets,
    /// The post's own steps.
    pub rules: DutyRules,
    /// The call where nobody takes an event.
    pub hook: Option<Hook>,
}

/// Section `[events]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "deploy/etc/wardwatch/wardpost.toml says what each key is")]
pub struct WrittenEvents {
    pub group_seconds: Option<u64>,
    pub group_by: Option<String>,
    pub return_after_seconds: Option<u64>,
    pub critical_seconds: Option<u64>,
    pub warning_seconds: Option<u64>,
}

/// Section `[escalation]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "deploy/etc/wardwatch/wardpost.toml says what each key is")]
pub struct WrittenEscalation {
    pub louder_after_seconds: Option<u64>,
    pub commander_after_seconds: Option<u64>,
    pub hook_after_seconds: Option<u64>,
    pub least_severity: Option<String>,
    pub program: Option<PathBuf>,
    pub url: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub timeout_seconds: Option<u64>,
}

/// The checked settings. Faults are added to `problems`.
pub(super) fn checked(
    events: &WrittenEvents,
    escalation: &WrittenEscalation,
    problems: &mut Vec<String>,
) -> DutySettings {
    let hook = escalation.hook(problems);
    let rules = DutyRules {
        return_after: seconds(
            "events.return_after_seconds",
            events.return_after_seconds,
            600,
            WAIT_MAX,
            problems,
        ),
        escalation: escalation.levels(problems),
        has_hook: hook.is_some(),
    };
    DutySettings { grouping: events.grouping(problems), targets: events.targets(problems), rules, hook }
}

/// A number of seconds from 1 to `most`.
fn seconds(key: &str, written: Option<u64>, default: u64, most: u64, problems: &mut Vec<String>) -> Duration {
    Duration::from_secs(within(key, written.unwrap_or(default), 1..=most, problems))
}

impl WrittenEvents {
    fn grouping(&self, problems: &mut Vec<String>) -> Grouping {
        let within = seconds("events.group_seconds", self.group_seconds, 60, GROUP_MAX, problems);
        let by = match self.group_by.as_deref() {
            None | Some("rule") => GroupBy::Rule,
            Some("box") => GroupBy::Box,
            Some(other) => {
                problems.push(format!("events.group_by: \"{other}\" is neither \"rule\" nor \"box\""));
                GroupBy::Rule
            }
        };
        Grouping { within, by }
    }

    fn targets(&self, problems: &mut Vec<String>) -> Targets {
        let default = Targets::default();
        let mut target = |key: &str, written: Option<u64>, default: Duration| {
            seconds(&format!("events.{key}"), written, default.as_secs(), WAIT_MAX, problems)
        };
        let critical = target("critical_seconds", self.critical_seconds, default.critical);
        let warning = target("warning_seconds", self.warning_seconds, default.warning);
        if warning < critical {
            problems.push(
                "events.warning_seconds is below events.critical_seconds; give critical events the shorter time"
                    .to_owned(),
            );
        }
        Targets { critical, warning }
    }
}

impl WrittenEscalation {
    fn levels(&self, problems: &mut Vec<String>) -> Escalation {
        let default = Escalation::default();
        let mut level = |key: &str, written: Option<u64>, default: Duration| {
            seconds(
                &format!("escalation.{key}_after_seconds"),
                written,
                default.as_secs(),
                WAIT_MAX,
                problems,
            )
        };
        let louder = level("louder", self.louder_after_seconds, default.louder);
        let commander = level("commander", self.commander_after_seconds, default.commander);
        let hook = level("hook", self.hook_after_seconds, default.hook);
        if !(louder <= commander && commander <= hook) {
            problems.push(
                "escalation: the steps come in the order louder, commander, hook; give none a time below that of the one \
                 before"
                    .to_owned(),
            );
        }
        let least = match self.least_severity.as_deref() {
            None | Some("warning") => Severity::Warning,
            Some("critical") => Severity::Critical,
            Some("notice") => Severity::Notice,
            Some(other) => {
                problems.push(format!(
                    "escalation.least_severity: \"{other}\" is no severity; give \"notice\", \"warning\" or \"critical\""
                ));
                Severity::Warning
            }
        };
        Escalation { louder, commander, hook, least }
    }

    fn hook(&self, problems: &mut Vec<String>) -> Option<Hook> {
        let timeout = seconds("escalation.timeout_seconds", self.timeout_seconds, 10, HOOK_MAX, problems);
        let target = match (&self.program, &self.url) {
            (None, None) => {
                if self.ca_file.is_some() {
                    problems.push(
                        "escalation.ca_file needs an escalation.url that begins with https://".to_owned(),
                    );
                }
                return None;
            }
            (Some(_), Some(_)) => {
                problems
                    .push("escalation.program and escalation.url exclude each other; give one".to_owned());
                return None;
            }
            (Some(program), None) => {
                if !program.is_file() {
                    problems.push(format!(
                        "escalation.program {}: there is no such file that this user may see",
                        program.display()
                    ));
                }
                Target::Program(program.clone())
            }
            (None, Some(url)) => self.target(url, problems),
        };
        Some(Hook { target, timeout })
    }

    fn target(&self, url: &str, problems: &mut Vec<String>) -> Target {
        let is_secure = url.starts_with("https://");
        if !is_secure && !url.starts_with("http://") {
            problems.push(format!("escalation.url \"{url}\": give http://HOST/PATH or https://HOST/PATH"));
        }
        match &self.ca_file {
            Some(_) if !is_secure => {
                problems
                    .push("escalation.ca_file needs an escalation.url that begins with https://".to_owned());
            }
            Some(file) if !file.is_file() => {
                problems.push(format!("escalation.ca_file {}: there is no such file", file.display()));
            }
            _ => {}
        }
        if is_secure && self.ca_file.is_none() {
            problems.push(
                "escalation.ca_file is missing; https needs the PEM file of the authority that signed the certificate"
                    .to_owned(),
            );
        }
        Target::Url { url: url.to_owned(), ca_file: self.ca_file.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (DutySettings, Vec<String>) {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Both {
            events: WrittenEvents,
            escalation: WrittenEscalation,
        }
        let both: Both = toml::from_str(text).unwrap();
        let mut problems = Vec::new();
        (checked(&both.events, &both.escalation, &mut problems), problems)
    }

    #[test]
    fn left_out_keys_have_the_defaults() {
        assert_eq!(read(""), (DutySettings::default(), Vec::new()));
    }

    #[test]
    fn every_fault_is_said() {
        for (text, said) in [
            ("[events]\ngroup_seconds = 0", "events.group_seconds: 0 is not from 1 to 600"),
            ("[events]\ngroup_by = \"ward\"", "neither \"rule\" nor \"box\""),
            ("[events]\nreturn_after_seconds = 99999", "return_after_seconds: 99999"),
            ("[events]\ncritical_seconds = 0", "events.critical_seconds: 0 is not from 1 to 14400"),
            ("[events]\nwarning_seconds = 14401", "events.warning_seconds: 14401 is not from 1 to 14400"),
            ("[events]\ncritical_seconds = 91", "give critical events the shorter time"),
            ("[escalation]\nlouder_after_seconds = 200", "in the order"),
            ("[escalation]\nleast_severity = \"loud\"", "is no severity"),
            ("[escalation]\nprogram = \"/nowhere\"", "no such file"),
            ("[escalation]\nprogram = \"/bin/sh\"\nurl = \"http://a/\"", "exclude each other"),
            ("[escalation]\nurl = \"ftp://a/\"", "give http://"),
            ("[escalation]\nurl = \"https://a/\"", "ca_file is missing"),
            ("[escalation]\nurl = \"http://a/\"\nca_file = \"/a\"", "begins with https://"),
            ("[escalation]\nca_file = \"/a\"", "begins with https://"),
            ("[escalation]\ntimeout_seconds = 0", "timeout_seconds: 0"),
        ] {
            let (_, problems) = read(text);
            assert!(problems.len() == 1 && problems[0].contains(said), "{text}: {problems:?}");
        }
    }

    #[test]
    fn targets_are_the_wards_own() {
        let (settings, problems) = read("[events]\ncritical_seconds = 20\nwarning_seconds = 300");
        assert!(problems.is_empty(), "{problems:?}");
        let of = |severity| settings.targets.of(severity).map(|target| target.as_secs());
        let found = [Severity::Critical, Severity::Warning, Severity::Notice].map(of);
        assert_eq!(found, [Some(20), Some(300), None]);
    }

    #[test]
    fn a_hook_is_a_program_or_an_address() {
        let (settings, problems) = read("[escalation]\nprogram = \"/bin/sh\"\ntimeout_seconds = 3");
        assert!(problems.is_empty() && settings.rules.has_hook, "{problems:?}");
        let hook = Hook { target: Target::Program("/bin/sh".into()), timeout: Duration::from_secs(3) };
        assert_eq!(settings.hook, Some(hook));
        let (settings, problems) =
            read("[escalation]\nurl = \"http://10.0.0.2/siren\"\n[events]\ngroup_by = \"box\"");
        assert!(problems.is_empty(), "{problems:?}");
        let target = Target::Url { url: "http://10.0.0.2/siren".to_owned(), ca_file: None };
        assert_eq!((settings.hook.unwrap().target, settings.grouping.by), (target, GroupBy::Box));
    }
}
