//! Times as a person writes and reads them.

use jiff::tz::TimeZone;

use base::time::WallTime;
use program::time::WITH_OFFSET;
pub(super) use program::time::{parse, parse_end};

/// Local date and time with the offset to UTC.
pub(super) fn text(at: WallTime, timezone: &TimeZone) -> String {
    at.to_timestamp().to_zoned(timezone.clone()).strftime(WITH_OFFSET).to_string()
}

/// Local time with the offset to UTC.
pub(super) fn time_text(at: WallTime, timezone: &TimeZone) -> String {
    at.to_timestamp().to_zoned(timezone.clone()).strftime("%H:%M:%S%:z").to_string()
}
