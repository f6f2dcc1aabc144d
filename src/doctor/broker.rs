//! Checks that the broker accepts this box, and for how long its certificate is good.

use std::time::Duration;

use super::Finding;
use crate::telemetry::state::State;
use base::clock;
use base::fault::chain;
use base::time::WallTime;
use wardlink::{Settings, certificate_ends_at, try_connection};

/// Validity left below which a new certificate is recommended.
const CERTIFICATE_LEFT: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn examine(settings: &Settings, running: Option<&State>, say: &mut dyn FnMut(Finding)) {
    match certificate_ends_at(settings) {
        Ok(Some(end)) => say(of_the_certificate(end, clock::wall())),
        Ok(None) if settings.tls.is_some() => {
            let remedy =
                "where the broker asks for one: `wardwatch keygen`, then broker.cert_file and key_file";
            say(Finding::warning("certificate", "the box has none of its own", remedy));
        }
        Ok(None) => {}
        Err(error) => say(Finding::failed("certificate", chain(&error), "see deploy/mosquitto/README.md")),
    }
    let about = format!("broker {}:{}", settings.host, settings.port);
    let outcome = match running {
        Some(state) if state.broker.connected => Ok(format!("connected since {}", state.broker.since)),
        Some(state) => Err(state.broker.reason.clone().unwrap_or_else(|| "not connected".to_owned())),
        None => match try_connection(settings) {
            Ok(()) => Ok("it takes this box, which may read what the post acknowledges".to_owned()),
            Err(error) => Err(chain(&error)),
        },
    };
    say(match outcome {
        Ok(what) => Finding::ok(about.clone(), what),
        Err(reason) => {
            Finding::failed(about.clone(), reason, "alerts wait in the outbox until this is mended")
        }
    });
    for warning in running.iter().flat_map(|state| &state.broker.warnings) {
        let remedy = "alerts leave meanwhile, late or without their pictures";
        say(Finding::warning(about.clone(), warning.clone(), remedy));
    }
}

fn of_the_certificate(end: WallTime, now: WallTime) -> Finding {
    if end <= now {
        let remedy = "is the clock right? else have a new one signed: `wardwatch keygen`";
        return Finding::failed("certificate", format!("it ended at {end}"), remedy);
    }
    let days = end.since(now).as_secs() / 86_400;
    let what = format!("good until {end}, {days} more days");
    if end.since(now) < CERTIFICATE_LEFT {
        return Finding::warning("certificate", what, "have a new one signed soon: `wardwatch keygen`");
    }
    Finding::ok("certificate", what)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let at = |days: i64| WallTime::from_micros(1_700_000_000_000_000 + days * 86_400_000_000);
        let verdict = |days| of_the_certificate(at(days), at(0)).verdict;
        assert_eq!(
            [-1, 0, 29, 31].map(verdict),
            [Verdict::Failed, Verdict::Failed, Verdict::Warning, Verdict::Ok]
        );
    }
}
