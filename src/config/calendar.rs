//! Ward, box, and the calendar of schedules: time zone, holidays, night.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::file;
use super::outside::Checker;
use analysis::rules::{Schedule, Window};
use base::ids::{BoxId, WardId};

/// Ward, box, and the calendar for schedules, without a window.
pub(super) fn identity(
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
