//! Times as a person writes them.

use anyhow::bail;
use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use base::time::WallTime;

/// Local date and time with the offset to UTC, for `strftime`; [`parse`] reads it.
pub const WITH_OFFSET: &str = "%Y-%m-%d %H:%M:%S%:z";

/// Reads RFC 3339, a local date and time, or a local time of today.
///
/// # Errors
/// It is no time, or no single one: the clocks showed it twice, or never. The text names valid ones.
pub fn parse(text: &str, timezone: &TimeZone, now: WallTime) -> anyhow::Result<WallTime> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(WallTime::from_timestamp(instant));
    }
    let today = now.to_timestamp().to_zoned(timezone.clone()).date();
    let local = match (text.contains('-'), text.contains(':')) {
        // A date alone would mean midnight, which is seldom intended as an end.
        (_, false) => None,
        (true, true) => text.parse::<DateTime>().ok(),
        (false, true) => text.parse::<Time>().ok().map(|time| today.to_datetime(time)),
    };
    let Some(local) = local else {
        bail!(
            "{text:?} is not a time; write {today}T22:14:03+07:00, \"{today} 22:14\" in local time, or 22:14 for today"
        );
    };
    once(local, timezone).map(WallTime::from_timestamp)
}

/// The one moment at which clocks show `local`.
fn once(local: DateTime, timezone: &TimeZone) -> anyhow::Result<Timestamp> {
    let zone = timezone.iana_name().unwrap_or("this machine's time zone");
    let written = |offset: Offset| anyhow::Ok(text(offset.to_timestamp(local)?.to_zoned(timezone.clone())));
    match timezone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => Ok(offset.to_timestamp(local)?),
        AmbiguousOffset::Fold { before, after } => bail!(
            "{local} was there twice in {zone}, since the clocks were set back; write it with the offset that is meant: \
             \"{}\" for the first time, \"{}\" for the second",
            written(before)?,
            written(after)?
        ),
        AmbiguousOffset::Gap { before, after } => bail!(
            "{local} never was in {zone}, since the clocks were set forward past it; write \"{}\" or \"{}\"",
            written(after)?,
            written(before)?
        ),
    }
}

/// Date and time with their offset: distinguishes a time that occurred twice, and is valid input again.
fn text(at: Zoned) -> String {
    at.strftime(WITH_OFFSET).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saigon(text: &str) -> Result<String, String> {
        let timezone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
        // 05:30 of the 2nd of May in Ho Chi Minh City, and still the 1st in UTC.
        let now = WallTime::from_timestamp("2026-05-01T22:30:00Z".parse().unwrap());
        parse(text, &timezone, now).map(|at| at.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_read_as_they_are_meant() {
        for (text, expected) in [
            ("2026-05-01T22:14:03Z", "2026-05-01T22:14:03.000Z"),
            ("2026-05-01T22:14:03.5+07:00", "2026-05-01T15:14:03.500Z"),
            ("2026-05-01 22:14", "2026-05-01T15:14:00.000Z"),
            ("2026-05-01 22:14:03", "2026-05-01T15:14:03.000Z"),
            ("2026-05-01T22:14:03", "2026-05-01T15:14:03.000Z"),
            ("22:14", "2026-05-02T15:14:00.000Z"),
            ("00:00:07", "2026-05-01T17:00:07.000Z"),
        ] {
            assert_eq!(saigon(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_local_time_that_was_twice_asks_for_its_offset() {
        for (zone, local, first, second) in [
            ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 02:30:00+02:00", "2026-10-25 02:30:00+01:00"),
            (
                "Europe/Berlin",
                "2026-10-25T02:59:59",
                "2026-10-25 02:59:59+02:00",
                "2026-10-25 02:59:59+01:00",
            ),
            (
                "America/New_York",
                "2026-11-01 01:00",
                "2026-11-01 01:00:00-04:00",
                "2026-11-01 01:00:00-05:00",
            ),
            // Half an hour.
            (
                "Australia/Lord_Howe",
                "2026-04-05 01:45",
                "2026-04-05 01:45:00+11:00",
                "2026-04-05 01:45:00+10:30",
            ),
        ] {
            let timezone = TimeZone::get(zone).unwrap();
            let now = WallTime::from_timestamp("2026-12-01T00:00:00Z".parse().unwrap());
            let said = parse(local, &timezone, now).unwrap_err().to_string();
            assert!(said.contains("twice") && said.contains(first) && said.contains(second), "{said}");
            // The proposed times are valid input, and mean two moments.
            let moments = [first, second].map(|text| parse(text, &timezone, now).unwrap());
            assert!(moments[0] < moments[1], "{moments:?}");
        }
    }

    #[test]
    fn a_time_of_today_that_was_twice_asks_too() {
        let timezone = TimeZone::get("Europe/Berlin").unwrap();
        let now = WallTime::from_timestamp("2026-10-25T12:00:00Z".parse().unwrap());
        assert!(parse("02:30", &timezone, now).unwrap_err().to_string().contains("twice"));
        assert_eq!(parse("03:00", &timezone, now).unwrap().to_string(), "2026-10-25T02:00:00.000Z");
        assert_eq!(parse("01:59", &timezone, now).unwrap().to_string(), "2026-10-24T23:59:00.000Z");
    }

    #[test]
    fn a_local_time_that_never_was_names_its_neighbours() {
        for (zone, local, neighbours) in [
            ("Europe/Berlin", "2026-03-29 02:30", ["2026-03-29 01:30:00+01:00", "2026-03-29 03:30:00+02:00"]),
            (
                "America/New_York",
                "2026-03-08 02:00",
                ["2026-03-08 01:00:00-05:00", "2026-03-08 03:00:00-04:00"],
            ),
            // A day that was left out entirely.
            ("Pacific/Apia", "2011-12-30 12:00", ["2011-12-29 12:00:00-10:00", "2011-12-31 12:00:00+14:00"]),
        ] {
            let timezone = TimeZone::get(zone).unwrap();
            let now = WallTime::from_timestamp("2026-12-01T00:00:00Z".parse().unwrap());
            let said = parse(local, &timezone, now).unwrap_err().to_string();
            assert!(said.contains("never was") && neighbours.iter().all(|one| said.contains(one)), "{said}");
            assert!(neighbours.iter().all(|one| parse(one, &timezone, now).is_ok()));
        }
    }

    #[test]
    fn what_is_no_time_says_what_would_be() {
        for text in ["", "yesterday", "25:00", "2026-05-01", "2026-13-01 10:00", "1.5.2026 22:14"] {
            let said = saigon(text).unwrap_err();
            assert!(said.contains("\"2026-05-02 22:14\""), "{text}: {said}");
        }
    }
}
