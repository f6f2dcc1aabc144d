//! Numbers and durations as each language writes them.

use std::time::Duration;

use base::language::Language;

/// A number with at most so many decimals: `2,4` in Vietnamese, `2.4` in English.
pub(super) fn number(language: Language, value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    match language {
        Language::Vietnamese => text.replace('.', ","),
        Language::English => text.to_owned(),
    }
}

/// A duration: seconds below a minute, else its two largest units.
pub(super) fn span(language: Language, span: Duration) -> String {
    let seconds = span.as_secs_f64();
    // Rounded first, so that no 60 seconds are left over.
    if (seconds * 10.0).round() < 600.0 {
        let text = number(language, seconds, 1);
        return match language {
            Language::Vietnamese => format!("{text} giây"),
            Language::English => format!("{text} s"),
        };
    }
    let whole = seconds.round() as u64;
    let (large, small, units) = match whole {
        0..3600 => (whole / 60, whole % 60, ["phút", "giây", "min", "s"]),
        3600..86_400 => (whole / 3600, whole % 3600 / 60, ["giờ", "phút", "h", "min"]),
        _ => (whole / 86_400, whole % 86_400 / 3600, ["ngày", "giờ", "d", "h"]),
    };
    let [large_unit, small_unit] = match language {
        Language::Vietnamese => [units[0], units[1]],
        Language::English => [units[2], units[3]],
    };
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// Seconds as a duration; [`span`] of it.
pub(super) fn seconds(language: Language, seconds: f64) -> String {
    span(language, Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// Bytes in the unit that people read on a disk: `1,5 GB`.
pub(super) fn bytes(language: Language, bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..1_000_000_000 => (bytes as f64 / 1e6, "MB"),
        _ => (bytes as f64 / 1e9, "GB"),
    };
    format!("{} {unit}", number(language, value, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (seconds, vietnamese, english) in [
            (0.0, "0 giây", "0 s"),
            (2.4, "2,4 giây", "2.4 s"),
            (30.0, "30 giây", "30 s"),
            (59.96, "1 phút", "1 min"),
            (75.2, "1 phút 15 giây", "1 min 15 s"),
            (3600.0, "1 giờ", "1 h"),
            (7500.0, "2 giờ 5 phút", "2 h 5 min"),
            (90_000.0, "1 ngày 1 giờ", "1 d 1 h"),
        ] {
            let span = Duration::from_secs_f64(seconds);
            assert_eq!(super::span(Language::Vietnamese, span), vietnamese);
            assert_eq!(super::span(Language::English, span), english);
        }
        assert_eq!(seconds(Language::English, f64::NAN), "0 s");
        assert_eq!(bytes(Language::Vietnamese, 1_460_000_000), "1,5 GB");
        assert_eq!(number(Language::Vietnamese, 120.0, 0), "120");
    }
}
