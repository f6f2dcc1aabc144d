//! Plots as SVG, drawn on the server. Severities differ by pattern and by label, never by colour alone.

use maud::{Markup, html};

use super::Say;
use crate::events::{Course, SEVERITIES, Share, TO_TAKE_BELOW};
use crate::presentation::Presentation;

/// Height of the columns of a plot, in units of the drawing.
const HIGH: u64 = 150;
/// Top of the columns.
const TOP: u64 = 22;
/// Width of a plot.
const WIDE: u64 = 760;
/// Place of the scale at the left.
const LEFT: u64 = 40;

/// A column: its name, its label, counts from notice to critical.
struct Column {
    name: String,
    label: String,
    counts: [u64; 3],
}

/// Events by hour of the day.
pub(super) fn hours(say: Say, course: &Course) -> Markup {
    let columns = course.hours.iter().enumerate().map(|(hour, counts)| Column {
        name: format!("{hour:02}:00–{:02}:00", (hour + 1) % 24),
        label: if hour % 3 == 0 { format!("{hour}") } else { String::new() },
        counts: *counts,
    });
    stacked(
        say,
        say.t("Số sự kiện theo giờ trong ngày", "Events by hour of the day"),
        "h",
        &columns.collect::<Vec<_>>(),
    )
}

/// Events by day, with the median of the times until somebody took them.
pub(super) fn days(say: Say, words: &Presentation, course: &Course) -> Markup {
    let each = course.days.len().div_ceil(10).max(1);
    let columns = course.days.iter().enumerate().map(|(number, day)| {
        let date = format!("{}/{}", day.date.day(), day.date.month());
        let median = day.to_take.median.map_or_else(String::new, |median| {
            format!("; {} {}", say.t("nhận sau (trung vị)", "median time to take"), words.span(median))
        });
        Column {
            name: format!("{date}{median}"),
            label: if number % each == 0 { date } else { String::new() },
            counts: day.severities,
        }
    });
    stacked(say, say.t("Số sự kiện theo ngày", "Events by day"), "d", &columns.collect::<Vec<_>>())
}

/// Spread of the times until somebody took an event.
pub(super) fn to_take(say: Say, course: &Course) -> Markup {
    let name = |seconds: u64| {
        if seconds < 120 {
            format!("{seconds} s")
        } else {
            format!("{} {}", seconds / 60, say.t("phút", "min"))
        }
    };
    let rows = course.to_take.iter().enumerate().map(|(class, count)| {
        let label = match TO_TAKE_BELOW.get(class) {
            Some(below) => format!("{} {}", say.t("dưới", "below"), name(*below)),
            None => {
                format!("{} {}", name(TO_TAKE_BELOW[TO_TAKE_BELOW.len() - 1]), say.t("trở lên", "or more"))
            }
        };
        (label, count.to_string(), *count)
    });
    let title = say.t("Thời gian từ khi báo đến khi có người nhận", "Time until somebody took it");
    bars(title, &rows.collect::<Vec<_>>())
}

/// A bar for each row: its name, the text at its end, and its length.
pub(super) fn bars(title: &str, rows: &[(String, String, u64)]) -> Markup {
    const ROW: u64 = 26;
    const BAR: u64 = 260;
    let most = rows.iter().map(|(.., value)| *value).max().unwrap_or(0).max(1);
    html! {
        svg.plot role="img" aria-label=(title) viewBox=(format!("0 0 {WIDE} {}", ROW * rows.len() as u64)) {
            @for (row, (name, end, value)) in (0..).zip(rows) {
                @let (long, top) = ((BAR * value / most).max(2), row * ROW);
                text x="0" y=(top + 17) { (short(name)) }
                rect x="370" y=(top + 4) width=(long) height="16" rx="2" {}
                text.value x=(380 + long) y=(top + 17) { (end) }
            }
        }
    }
}

/// A share as its bar's row: of a thousand, with its counts.
pub(super) fn share_row(name: String, text: String, share: Share) -> (String, String, u64) {
    let thousandth = share.ratio().map_or(0, |ratio| (1000.0 * ratio).round() as u64);
    (name, text, thousandth)
}

/// Columns whose severities stand on one another. `id` tells the patterns of the plots of a page apart.
fn stacked(say: Say, title: &str, id: &str, columns: &[Column]) -> Markup {
    let total = |column: &Column| column.counts.iter().sum::<u64>();
    let most = columns.iter().map(total).max().unwrap_or(0).max(1);
    let step = (WIDE - LEFT) / (columns.len() as u64).max(1);
    let wide = (step * 7 / 10).clamp(2, 60);
    html! {
        figure.course {
            svg.plot.stacked role="img" aria-label=(summary(say, title, columns)) viewBox=(format!("0 0 {WIDE} {}", TOP + HIGH + 24)) {
                (patterns(id))
                line.axis x1=(LEFT) y1=(TOP + HIGH) x2=(WIDE) y2=(TOP + HIGH) {}
                line.axis.faint x1=(LEFT) y1=(TOP) x2=(WIDE) y2=(TOP) {}
                text x="0" y=(TOP + 5) { (most) }
                text x="0" y=(TOP + HIGH + 4) { "0" }
                @for (number, column) in (0..).zip(columns) {
                    @let left = LEFT + number * step + (step - wide) / 2;
                    @if total(column) > 0 {
                        g { title { (column.name) ": " (total(column)) }
                            @for (severity, [top, high]) in parts(column.counts, most) {
                                rect class=(SEVERITIES[severity].as_str()) x=(left) y=(top) width=(wide) height=(high) fill=(format!("url(#{id}-{})", SEVERITIES[severity].as_str())) {}
                            }
                        }
                        @if columns.len() <= 12 { text.value x=(left + wide / 2) y=(TOP + HIGH - HIGH * total(column) / most - 5) text-anchor="middle" { (total(column)) } }
                    }
                    text x=(left + wide / 2) y=(TOP + HIGH + 18) text-anchor="middle" { (column.label) }
                }
            }
            figcaption.legend {
                @for severity in SEVERITIES.into_iter().rev() {
                    span { svg.swatch viewBox="0 0 20 14" width="20" height="14" aria-hidden="true" { rect class=(severity.as_str()) x="1" y="1" width="18" height="12" fill=(format!("url(#{id}-{})", severity.as_str())) {} } " " (say.severity(severity)) }
                }
            }
        }
    }
}

/// Top and height of each severity of a column, from notice at the bottom to critical.
fn parts(counts: [u64; 3], most: u64) -> Vec<(usize, [u64; 2])> {
    let mut below = 0;
    let mut parts = Vec::new();
    for (severity, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        let (from, to) = (HIGH * below / most, HIGH * (below + count) / most);
        parts.push((severity, [TOP + HIGH - to, (to - from).max(1)]));
        below += count;
    }
    parts
}

/// The plot in one sentence, for who does not see it.
fn summary(say: Say, title: &str, columns: &[Column]) -> String {
    let counted: Vec<String> = columns
        .iter()
        .filter(|column| column.counts.iter().sum::<u64>() > 0)
        .map(|column| format!("{}: {}", column.name, column.counts.iter().sum::<u64>()))
        .collect();
    if counted.is_empty() {
        format!("{title}: {}", say.t("không có", "none"))
    } else {
        format!("{title}. {}", counted.join("; "))
    }
}

/// Patterns of the severities: dots, stripes, full.
fn patterns(id: &str) -> Markup {
    html! {
        defs {
            pattern id=(format!("{id}-notice")) width="6" height="6" patternUnits="userSpaceOnUse" { rect.ground width="6" height="6" {} circle.notice cx="3" cy="3" r="1.2" {} }
            pattern id=(format!("{id}-warning")) width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" { rect.ground width="6" height="6" {} rect.warning width="3" height="6" {} }
            pattern id=(format!("{id}-critical")) width="6" height="6" patternUnits="userSpaceOnUse" { rect.critical width="6" height="6" {} }
        }
    }
}

/// A name that fits beside its bar.
fn short(name: &str) -> String {
    const FITS: usize = 48;
    if name.chars().count() <= FITS {
        name.to_owned()
    } else {
        name.chars().take(FITS - 1).chain(['…']).collect()
    }
}
