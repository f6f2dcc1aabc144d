//! Figures as CSV (RFC 4180, UTF-8 with a byte order mark, which spreadsheet programs need for Vietnamese letters).

use std::fmt::Write as _;

use super::{Figures, Share, SourceFigures, Times, decimal_seconds};
use base::event::Severity;

/// Columns of the table.
const HEAD: [&str; 4] = ["section", "of", "figure", "value"];

impl Figures {
    /// The figures as a table for a spreadsheet: section, of which thing, which figure, value. Times are seconds.
    pub fn csv(&self) -> String {
        let mut table = Table { text: "\u{feff}".to_owned() };
        table.row(HEAD);
        table.row(["period", "", "from", &self.period.from.to_string()]);
        table.row(["period", "", "to", &self.period.to.to_string()]);
        self.load(&mut table);
        let severities = [Severity::Notice, Severity::Warning, Severity::Critical];
        for (severity, count) in severities.into_iter().zip(self.severities) {
            table.row(["severity", severity.as_str(), "events", &count.to_string()]);
        }
        table.times("to_take", self.to_take);
        table.times("to_close", self.to_close);
        table.share("within_target", "", self.within_target);
        table.share("false_share", "", self.false_share);
        for (outcome, count) in &self.outcomes {
            table.row(["outcome", outcome.as_str(), "events", &count.to_string()]);
        }
        for source in &self.worst {
            table.source("worst", source);
        }
        for source in &self.false_sources {
            table.source("false", source);
        }
        for (section, rows) in [("false_camera", &self.false_cameras), ("false_rule", &self.false_rules)] {
            for row in rows {
                table.share(section, &format!("{} {}", row.of, row.name), row.share);
            }
        }
        for camera in &self.away {
            let of = format!("{}/{} {}", camera.sender, camera.camera, camera.name);
            table.row(["away", &of, "times", &camera.times.to_string()]);
            table.row(["away", &of, "seconds", &camera.length.as_secs().to_string()]);
        }
        table.text
    }

    fn load(&self, table: &mut Table) {
        let load = self.load;
        table.row(["load", "", "alerts", &load.alerts.to_string()]);
        table.row(["load", "", "events", &load.events.to_string()]);
        table.row(["load", "", "shelved", &load.shelved.to_string()]);
        table.row(["load", "", "operator_seconds", &load.operator_time.as_secs().to_string()]);
        let per_hour = load.alerts_per_operator_hour();
        table.row(["load", "", "alerts_per_operator_hour", &decimal(per_hour)]);
        let (from, events) =
            load.peak.map_or_else(Default::default, |(from, events)| (from.to_string(), events.to_string()));
        table.row(["load", &from, "events_in_peak_10_minutes", &events]);
        table.row(["load", "", "flood_seconds", &load.flood.as_secs().to_string()]);
        table.row(["load", "", "flood_share", &decimal(load.flood_share())]);
    }
}

/// A table that grows by rows.
struct Table {
    text: String,
}

impl Table {
    fn row(&mut self, cells: [&str; 4]) {
        let cells = cells.map(quoted);
        // Writing to a text does not fail.
        let _ = write!(self.text, "{}\r\n", cells.join(","));
    }

    fn times(&mut self, section: &str, times: Times) {
        self.row([section, "", "events", &times.count.to_string()]);
        self.row([section, "", "median_seconds", &decimal_seconds(times.median)]);
        self.row([section, "", "p90_seconds", &decimal_seconds(times.p90)]);
    }

    fn share(&mut self, section: &str, of: &str, share: Share) {
        self.row([section, of, "part", &share.part.to_string()]);
        self.row([section, of, "whole", &share.whole.to_string()]);
        self.row([section, of, "share", &decimal(share.ratio())]);
    }

    fn source(&mut self, section: &str, figures: &SourceFigures) {
        let source = &figures.source;
        let (camera, rule) = &figures.names;
        let of = format!("{}/{}/{} {camera}, {rule}", source.sender, source.camera, source.rule);
        self.row([section, &of, "events", &figures.events.to_string()]);
        self.row([section, &of, "alerts", &figures.alerts.to_string()]);
        self.share(section, &of, figures.false_share);
    }
}

fn decimal(number: Option<f64>) -> String {
    number.map_or(String::new(), |number| format!("{number:.3}"))
}

/// A cell. A spreadsheet would run one that begins like a formula.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula() {
        for (cell, expected) in [
            ("Cổng", "Cổng"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=1+1", "'=1+1"),
            ("@x,y", "\"'@x,y\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
