//! Times as a person writes them.

mod words;

use anyhow::bail;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use base::time::WallTime;

/// Local date and time with the offset to UTC, for `strftime`; [`parse`] reads it.
pub const WITH_OFFSET: &str = "%Y-%m-%d %H:%M:%S%:z";

/// Reads a time: RFC 3339, a local date and time as this program or the ward post prints them, a local time of today, or
/// a day by its date or name with or without a time. A day without a time is its beginning.
///
/// # Errors
/// It is no time, or no single one: the clocks showed it twice, or never. The text names valid ones.
pub fn parse(text: &str, timezone: &TimeZone, now: WallTime) -> anyhow::Result<WallTime> {
    read(text, timezone, now, Edge::Beginning)
}

/// Reads the end of a span in the same way. A day without a time is its end.
///
/// # Errors
/// As [`parse`].
pub fn parse_end(text: &str, timezone: &TimeZone, now: WallTime) -> anyhow::Result<WallTime> {
    read(text, timezone, now, Edge::End)
}

/// The edge of a day that a day without a time means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Beginning,
    End,
}

fn read(text: &str, timezone: &TimeZone, now: WallTime, edge: Edge) -> anyhow::Result<WallTime> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(WallTime::from_timestamp(instant));
    }
    let now = now.to_timestamp().to_zoned(timezone.clone()).datetime();
    // With its T, or with a fraction of a second.
    if let Some(local) = text.parse::<DateTime>().ok().filter(|_| text.contains(':')) {
        return once(local, timezone).map(WallTime::from_timestamp);
    }
    let Some(written) = words::read(text, now) else {
        let today = now.date();
        bail!(
            "{text:?} is not a time; write \"{today} 22:14\" or \"{}\" in local time, 22:14 for today, \"yesterday 22:14\", \
             \"hôm qua 22:14\", \"tuesday 22:14\", a day alone, or {today}T22:14:03+07:00",
            today.strftime("%d/%m/%Y 22:14")
        );
    };
    let day = written.day.unwrap_or(now.date());
    let at = match (written.time, written.time_with_offset) {
        (Some(time), _) => once(day.to_datetime(time), timezone)?,
        (None, Some(time)) => format!("{day}T{time}").parse()?,
        // A day begins later where the clocks are set forward at midnight.
        (None, None) if edge == Edge::Beginning => day.to_zoned(timezone.clone())?.timestamp(),
        (None, None) => day.tomorrow()?.to_zoned(timezone.clone())?.timestamp(),
    };
    Ok(WallTime::from_timestamp(at))
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
            // As the box prints them, and the post.
            ("2026-05-01 22:14:03+07:00", "2026-05-01T15:14:03.000Z"),
            ("22:14:03+07:00", "2026-05-02T15:14:03.000Z"),
            ("01/05/2026 22:14:03", "2026-05-01T15:14:03.000Z"),
            ("1/5/2026 22:14", "2026-05-01T15:14:00.000Z"),
            ("22:14 01/05/26", "2026-05-01T15:14:00.000Z"),
            ("22h14 ngày 1/5", "2026-05-01T15:14:00.000Z"),
            // No day of this year is meant that has not been yet.
            ("3/5 22h", "2025-05-03T15:00:00.000Z"),
            ("yesterday 22:14", "2026-05-01T15:14:00.000Z"),
            ("hôm qua 22:14", "2026-05-01T15:14:00.000Z"),
            ("hom qua luc 9:05", "2026-05-01T02:05:00.000Z"),
            ("22:14 hôm kia", "2026-04-30T15:14:00.000Z"),
            ("ho\u{302}m qua 22:14", "2026-05-01T15:14:00.000Z"),
            // The 2nd of May is a Saturday, and it is 05:30.
            ("tuesday 22:14", "2026-04-28T15:14:00.000Z"),
            ("thứ ba 22:14", "2026-04-28T15:14:00.000Z"),
            ("thứ 3, 22h14", "2026-04-28T15:14:00.000Z"),
            ("Saturday 05:00", "2026-05-01T22:00:00.000Z"),
            ("thứ bảy 22:14", "2026-04-25T15:14:00.000Z"),
            ("22:14 Chủ nhật", "2026-04-26T15:14:00.000Z"),
            ("2026-05-01", "2026-04-30T17:00:00.000Z"),
            ("01/05/2026", "2026-04-30T17:00:00.000Z"),
            ("hôm nay", "2026-05-01T17:00:00.000Z"),
            ("saturday", "2026-05-01T17:00:00.000Z"),
        ] {
            assert_eq!(saigon(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_day_alone_reaches_to_its_end() {
        let timezone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
        let now = WallTime::from_timestamp("2026-05-01T22:30:00Z".parse().unwrap());
        for (text, expected) in [
            ("01/05/2026", "2026-05-01T17:00:00.000Z"),
            ("hôm qua", "2026-05-01T17:00:00.000Z"),
            ("thứ sáu", "2026-05-01T17:00:00.000Z"),
            ("hôm qua 22:14", "2026-05-01T15:14:00.000Z"),
        ] {
            assert_eq!(parse_end(text, &timezone, now).unwrap().to_string(), expected, "{text}");
        }
        // Clocks that are set forward at midnight: the day before ends where the next one begins.
        let timezone = TimeZone::get("America/Asuncion").unwrap();
        let both = [parse_end("2023-09-30", &timezone, now), parse("2023-10-01", &timezone, now)];
        assert_eq!(both.map(|at| at.unwrap().to_string()), ["2023-10-01T04:00:00.000Z"; 2]);
    }

    #[test]
    fn every_way_of_a_time_that_was_twice_asks_for_its_offset() {
        let timezone = TimeZone::get("Europe/Berlin").unwrap();
        let now = WallTime::from_timestamp("2026-10-26T12:00:00Z".parse().unwrap());
        for text in ["25/10/2026 02:30", "yesterday 02:30", "hôm qua 2h30", "sunday 02:30", "chủ nhật 02:30"]
        {
            let said = parse(text, &timezone, now).unwrap_err().to_string();
            assert!(said.contains("twice") && said.contains("2026-10-25 02:30:00+02:00"), "{text}: {said}");
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
        for text in [
            "",
            "ngày",
            "tomorrow",
            "25:00",
            "10:00 11:00",
            "2026-13-01 10:00",
            "31/02/2026",
            "1.5.2026 22:14",
            "hôm",
            "7",
        ] {
            let said = saigon(text).unwrap_err();
            assert!(said.contains("\"2026-05-02 22:14\""), "{text}: {said}");
        }
    }
}
