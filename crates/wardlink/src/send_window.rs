//! Send window of messages that can wait: as many in flight as the link takes within about a second.
//!
//! The backlog, repeated alerts, and on a slow link pictures can wait. They share the link with new alerts, which queue
//! behind the bytes that the kernel has already accepted. So the delay of acknowledgements sets the window, and no configured
//! rate has to be right for every link. LEDBAT (RFC 6817) does the same for bytes.

use std::time::Duration;

use super::in_flight::{ALERTS_MAX, SentMessage};

/// Largest window; the remaining alerts in flight are for new ones.
const WINDOW_MAX: usize = ALERTS_MAX - 4;
/// An acknowledgement sooner than this grows the window by one.
const QUICK: Duration = Duration::from_secs(1);
/// An acknowledgement later than this halves the window.
const LATE: Duration = Duration::from_secs(2);
/// Approximate size of a message with a picture.
const PICTURE_BYTES: f64 = 34_000.0;
/// Largest window until a picture has measured the link.
const UNKNOWN_MAX: f64 = 2.0;
/// A new alert with its picture takes more than two seconds on a link below this rate.
const SLOW_BYTES_PER_SECOND: f64 = 16.0 * 1024.0;
/// Fewer bytes measure the link's delay rather than its rate.
const SAMPLE_BYTES_MIN: usize = 8 * 1024;
/// Consecutive connections that broke before a picture arrived, after which pictures count as the cause.
const BROKEN_MAX: u32 = 2;

/// Send window and measured rate of the link; see the module.
#[derive(Debug)]
pub(super) struct SendWindow {
    size: usize,
    /// Rate of the last messages; stays from one connection to the next.
    bytes_per_second: Option<f64>,
    /// Connections that broke with an alert in flight since the last picture arrived.
    broken: u32,
}

impl Default for SendWindow {
    fn default() -> Self {
        Self { size: 1, bytes_per_second: None, broken: 0 }
    }
}

impl SendWindow {
    /// A new connection begins with one message.
    pub fn connected(&mut self) {
        self.size = 1;
    }

    /// The connection broke while an alert was in flight.
    pub fn broke(&mut self) {
        self.broken = self.broken.saturating_add(1);
    }

    /// The broker has acknowledged a message.
    pub fn acknowledged(&mut self, sent: &SentMessage, took: Duration) {
        if sent.bytes >= SAMPLE_BYTES_MIN {
            self.broken = 0;
        }
        if took < QUICK {
            self.size = (self.size + 1).min(WINDOW_MAX);
        } else if took > LATE {
            self.size = (self.size / 2).max(1);
        }
        if sent.bytes_in_flight >= SAMPLE_BYTES_MIN {
            let rate = sent.bytes_in_flight as f64 / took.as_secs_f64().max(0.001);
            self.bytes_per_second = Some(self.bytes_per_second.map_or(rate, |before| (before + rate) / 2.0));
        }
    }

    /// Number of messages that can wait and may be in flight. The delay of acknowledgements sets it, limited to the pictures that
    /// the link takes in two seconds. Small messages are acknowledged soon on a slow link, too.
    pub fn size(&self) -> usize {
        let fits =
            self.bytes_per_second.map_or(UNKNOWN_MAX, |rate| rate * LATE.as_secs_f64() / PICTURE_BYTES);
        self.size.min(fits as usize).max(1)
    }

    /// The link is not the reason for which pictures broke connections.
    pub fn clear_breaks(&mut self) {
        self.broken = 0;
    }

    /// True where pictures seem to break connections: all previews are sent before the first picture is tried.
    pub fn is_breaking(&self) -> bool {
        self.broken >= BROKEN_MAX
    }

    /// True where a new alert is sent as a preview first, and its picture follows.
    pub fn is_slow(&self) -> bool {
        self.bytes_per_second.is_some_and(|rate| rate < SLOW_BYTES_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::in_flight::{InFlight, Kind};
    use super::*;

    const ALERT_BYTES: usize = 34_000;

    /// Sends alerts for `seconds` over a link of this rate and delay. Returns the number that arrived, and the longest time
    /// that a new alert would have waited for the messages before it.
    fn send(
        window: &mut SendWindow,
        bytes_per_second: f64,
        delay: Duration,
        seconds: f64,
    ) -> (u32, Duration) {
        let start = Instant::now();
        let (mut in_flight, mut under_way) = (InFlight::default(), std::collections::VecDeque::new());
        let (mut now, mut link_free, mut arrived, mut longest) = (0.0, 0.0_f64, 0, 0.0_f64);
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        while now < seconds {
            while under_way.len() < window.size() {
                let token = in_flight.token();
                in_flight.started(token, Kind::Alert { seq: token, is_windowed: true }, ALERT_BYTES, at(now));
                link_free = link_free.max(now) + ALERT_BYTES as f64 / bytes_per_second;
                under_way.push_back((token, link_free + delay.as_secs_f64()));
            }
            longest = longest.max(link_free - now);
            let (token, ends) = under_way.pop_front().unwrap();
            now = ends;
            let sent = in_flight.acknowledged(token).unwrap();
            window.acknowledged(&sent, at(now) - sent.since);
            arrived += 1;
        }
        (arrived, Duration::from_secs_f64(longest))
    }

    #[test]
    fn a_new_alert_waits_for_one_picture_on_a_slow_link() {
        let mut window = SendWindow::default();
        let (_, wait) = send(&mut window, 8000.0, Duration::from_millis(600), 120.0);
        assert!(window.is_slow() && window.size() == 1);
        assert!(wait < Duration::from_millis(4500), "{wait:?}");
    }

    #[test]
    fn a_link_with_room_is_used() {
        let mut window = SendWindow::default();
        let (arrived, _) = send(&mut window, 5e6, Duration::from_millis(60), 10.0);
        assert!(arrived > 500 && !window.is_slow(), "{arrived} in 10 s");
        // 1 Mbit/s, and half a second both ways.
        let mut window = SendWindow::default();
        let (arrived, wait) = send(&mut window, 125e3, Duration::from_millis(500), 60.0);
        assert!(arrived > 180 && wait < Duration::from_secs(3), "{arrived} in 60 s, {wait:?}");
    }

    #[test]
    fn small_messages_do_not_make_a_slow_link_look_fast() {
        let mut window = SendWindow::default();
        send(&mut window, 8000.0, Duration::from_millis(300), 30.0);
        let (mut in_flight, now) = (InFlight::default(), Instant::now());
        for _ in 0..20 {
            let token = in_flight.token();
            in_flight.started(token, Kind::Preview { seq: token }, 700, now);
            window.acknowledged(&in_flight.acknowledged(token).unwrap(), Duration::from_millis(400));
        }
        assert!(window.is_slow() && window.size() == 1);
    }

    #[test]
    fn a_link_that_becomes_slow_is_noticed() {
        let mut window = SendWindow::default();
        send(&mut window, 5e6, Duration::from_millis(60), 5.0);
        assert_eq!(window.size(), WINDOW_MAX);
        send(&mut window, 8000.0, Duration::from_millis(600), 120.0);
        assert!(window.is_slow() && window.size() == 1);
    }
}
