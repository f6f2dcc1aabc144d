//! Times as a person writes and reads them.

use jiff::tz::TimeZone;

pub(super) use crate::cli::time::parse;
use crate::domain::time::WallTime;

/// Local date and time.
pub(super) fn text(at: WallTime, timezone: &TimeZone) -> String {
    at.to_timestamp().to_zoned(timezone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Local time.
pub(super) fn time_text(at: WallTime, timezone: &TimeZone) -> String {
    at.to_timestamp().to_zoned(timezone.clone()).strftime("%H:%M:%S").to_string()
}
