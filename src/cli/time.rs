//! Times as a person writes them.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::domain::time::WallTime;

/// Reads RFC 3339, a local date and time, or a local time of today.
///
/// # Errors
/// Says what would be right.
pub(super) fn parse(text: &str, timezone: &TimeZone, now: WallTime) -> anyhow::Result<WallTime> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(WallTime::from_timestamp(instant));
    }
    let today = now.to_timestamp().to_zoned(timezone.clone()).date();
    let local = match (text.contains('-'), text.contains(':')) {
        // A date alone would read as midnight, which few who write one for an end mean.
        (_, false) => None,
        (true, true) => text.parse::<DateTime>().ok(),
        (false, true) => text.parse::<Time>().ok().map(|time| today.to_datetime(time)),
    };
    let zoned: Option<Zoned> = local.and_then(|local| local.to_zoned(timezone.clone()).ok());
    let zoned = zoned.ok_or_else(|| {
        anyhow::anyhow!(
            "{text:?} is not a time; write {today}T22:14:03+07:00, \"{today} 22:14\" in local time, or 22:14 for today"
        )
    })?;
    Ok(WallTime::from_timestamp(zoned.timestamp()))
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
    fn what_is_no_time_says_what_would_be() {
        for text in ["", "yesterday", "25:00", "2026-05-01", "2026-13-01 10:00", "1.5.2026 22:14"] {
            let said = saigon(text).unwrap_err();
            assert!(said.contains("\"2026-05-02 22:14\""), "{text}: {said}");
        }
    }
}
