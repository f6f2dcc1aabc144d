//! Requests that keep a session alive while it plays.
//!
//! Pure. The first one is OPTIONS, whose answer names the other methods that work. A refused or unanswered one is no failure: the
//! next one is made another way, and whether the session lives is seen by its packets.

use std::time::Duration;

use super::super::settings::KeepAliveBy;
use super::message::Head;
use base::time::Monotonic;

/// Ways to keep a session alive, the most telling first.
const METHODS: [&str; 3] = ["GET_PARAMETER", "OPTIONS", "SET_PARAMETER"];
/// Time in which a camera that closes the connection over a request does so.
const SUSPECT: Duration = Duration::from_secs(2);
/// Longest and shortest time between two of them.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(25));

/// Time and method of the next request.
#[derive(Debug)]
pub(super) struct KeepAlive {
    by: KeepAliveBy,
    interval: Duration,
    /// The last request, and its time.
    last: Option<(&'static str, Monotonic)>,
    next_at: Monotonic,
    method: &'static str,
    /// Methods that were refused or not answered.
    failed: Vec<&'static str>,
    /// The last request is not answered yet.
    is_waiting: bool,
    /// It has been sent again, with another login.
    is_repeated: bool,
}

impl KeepAlive {
    /// Three requests in the time that a session lives without one.
    pub(super) fn new(by: KeepAliveBy, timeout_seconds: u64, now: Monotonic) -> Self {
        let interval = (Duration::from_secs(timeout_seconds.min(3600)) / 3).clamp(INTERVAL.0, INTERVAL.1);
        Self {
            by,
            interval,
            last: None,
            next_at: now + interval,
            method: if by == KeepAliveBy::Options { "OPTIONS" } else { METHODS[0] },
            failed: Vec::new(),
            is_waiting: false,
            is_repeated: false,
        }
    }

    /// Method of the request that is due now.
    pub(super) fn due(&mut self, now: Monotonic) -> Option<&'static str> {
        if now < self.next_at || self.by == KeepAliveBy::Nothing {
            return None;
        }
        self.next_at = now + self.interval;
        if self.is_waiting {
            self.change();
        }
        (self.is_waiting, self.is_repeated) = (true, false);
        self.last = Some((self.method, now));
        Some(self.method)
    }

    /// The request over which the camera has probably closed the connection by `now`.
    pub(super) fn suspect(&self, now: Monotonic) -> Option<&'static str> {
        self.last.filter(|(_, at)| now.since(*at) <= SUSPECT).map(|(method, _)| method)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Method of the waiting request, if it may be sent once more with another login.
    pub(super) fn repeat(&mut self) -> Option<&'static str> {
        let may = self.is_waiting && !self.is_repeated;
        self.is_repeated = true;
        may.then_some(self.method)
    }

    /// Takes up the answer to the last request.
    pub(super) fn answered(&mut self, answer: &Head) {
        self.is_waiting = false;
        match answer.status() {
            Some(200..=299) if self.method == "OPTIONS" && self.failed.is_empty() => {
                let public = answer.header("public").unwrap_or_default().to_ascii_uppercase();
                if public.split([',', ' ']).any(|method| method == METHODS[0]) {
                    self.method = METHODS[0];
                }
            }
            Some(200..=299) => {}
            _ => self.change(),
        }
    }

    /// Takes the next method; after the last one they get another chance.
    fn change(&mut self) {
        if !self.failed.contains(&self.method) {
            self.failed.push(self.method);
        }
        let is_admitted = |method: &&&str| self.by == KeepAliveBy::Options || **method != "OPTIONS";
        let untried = METHODS.iter().filter(is_admitted).find(|method| !self.failed.contains(method));
        if untried.is_none() {
            self.failed.clear();
        }
        self.method = untried.copied().unwrap_or(METHODS[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Parsed, parse};
    use super::*;

    fn answer(text: &str) -> Head {
        match parse(format!("RTSP/1.0 {text}\r\n\r\n").as_bytes()) {
            Parsed::Head(head, _) => head,
            other => panic!("{other:?}"),
        }
    }

    /// The methods of so many requests, each with its answer.
    fn methods(keep_alive: &mut KeepAlive, answers: &[Option<&str>]) -> Vec<&'static str> {
        let mut now = Monotonic::default();
        let mut asked = Vec::new();
        for text in answers {
            now = now + Duration::from_secs(20);
            asked.push(keep_alive.due(now).unwrap());
            assert_eq!(keep_alive.due(now), None, "one at a time");
            if let Some(text) = text {
                keep_alive.answered(&answer(text));
            }
        }
        asked
    }

    #[test]
    fn what_options_names_is_used() {
        let mut keep_alive = KeepAlive::new(KeepAliveBy::Options, 60, Monotonic::default());
        let public = Some("200 OK\r\nPublic: OPTIONS, PLAY,get_parameter");
        assert_eq!(
            methods(&mut keep_alive, &[public, Some("200 OK"), Some("200 OK")]),
            ["OPTIONS", "GET_PARAMETER", "GET_PARAMETER"]
        );
        let mut keep_alive = KeepAlive::new(KeepAliveBy::Options, 60, Monotonic::default());
        let public = Some("200 OK\r\nPublic: OPTIONS, PLAY");
        assert_eq!(methods(&mut keep_alive, &[public, public]), ["OPTIONS", "OPTIONS"]);
    }

    #[test]
    fn what_is_refused_or_unanswered_is_asked_another_way() {
        let mut keep_alive = KeepAlive::new(KeepAliveBy::Options, 60, Monotonic::default());
        let public = Some("200 OK\r\nPublic: GET_PARAMETER, OPTIONS");
        assert_eq!(
            methods(&mut keep_alive, &[public, None, Some("200 OK"), Some("200 OK")]),
            ["OPTIONS", "GET_PARAMETER", "OPTIONS", "OPTIONS"]
        );
        let mut keep_alive = KeepAlive::new(KeepAliveBy::Options, 60, Monotonic::default());
        let refused = Some("454 Session Not Found");
        assert_eq!(
            methods(&mut keep_alive, &[refused, refused, refused, refused]),
            ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "GET_PARAMETER"]
        );
    }

    #[test]
    fn a_camera_that_closes_over_options_is_not_asked_for_it() {
        let refused = Some("454 Session Not Found");
        let mut keep_alive = KeepAlive::new(KeepAliveBy::GetParameter, 60, Monotonic::default());
        assert_eq!(
            methods(&mut keep_alive, &[refused, refused, refused, refused]),
            ["GET_PARAMETER", "SET_PARAMETER", "GET_PARAMETER", "SET_PARAMETER"]
        );
        let at = |seconds| Monotonic::default() + Duration::from_secs(seconds);
        let mut nothing = KeepAlive::new(KeepAliveBy::Nothing, 60, Monotonic::default());
        assert_eq!((nothing.due(at(100)), nothing.suspect(at(100))), (None, None));
        let mut keep_alive = KeepAlive::new(KeepAliveBy::Options, 60, Monotonic::default());
        assert_eq!(keep_alive.suspect(at(19)), None);
        keep_alive.due(at(20));
        assert_eq!((keep_alive.suspect(at(21)), keep_alive.suspect(at(23))), (Some("OPTIONS"), None));
    }

    #[test]
    fn the_interval_follows_the_session() {
        for (timeout, interval) in [(60, 20), (15, 5), (10_000, 25), (1, 1), (u64::MAX, 25)] {
            let mut keep_alive = KeepAlive::new(KeepAliveBy::Options, timeout, Monotonic::default());
            let at = |seconds| Monotonic::default() + Duration::from_secs(seconds);
            assert!(interval == 1 || keep_alive.due(at(interval - 1)).is_none());
            assert!(keep_alive.due(at(interval)).is_some(), "{timeout}");
        }
    }
}
