//! The replay as a page for the browser: one file that needs no server.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::report::{Life, Report, Shown, clock, lasted};
use base::detection::Label;

/// Width of the timeline in its own units, and the room on its left for names.
const WIDTH: f64 = 1000.0;
const NAMES: f64 = 170.0;
const ROW: f64 = 22.0;
/// Maximum number of drawn tracks; the shortest ones are left out first.
const TRACKS_MAX: usize = 60;

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1080px;padding:1rem;color:#1c2026;background:#fbfbf9}\
h1{font-size:1.25rem}h2{font-size:1.05rem;margin:1.6rem 0 .5rem}\
svg{width:100%;height:auto;background:#fff;border:1px solid #d9dbd6;border-radius:6px}\
svg text{font:12px system-ui,sans-serif;fill:#333}svg .axis{stroke:#e6e7e3}\
article{border:1px solid #d9dbd6;border-radius:6px;background:#fff;margin:.7rem 0;padding:.7rem .9rem}\
article:target{outline:3px solid #e0a100}article img{max-width:100%;margin:.3rem .5rem 0 0;border-radius:4px}\
.critical{border-left:6px solid #b3261e}.warning{border-left:6px solid #d98200}.notice{border-left:6px solid #4c78a8}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e6e7e3;vertical-align:top}\
@media(prefers-color-scheme:dark){body{background:#14161a;color:#e8e8e4}svg,article{background:#1d2026;border-color:#343840}\
svg text{fill:#d5d5d0}svg .axis{stroke:#2b2f36}td,th{border-color:#343840}}";

/// The page for a file named `name`.
pub(super) fn page(name: &str, report: &Report) -> String {
    let mut html = String::new();
    let name = escaped(name);
    // Writing to a string does not fail.
    let _ = write!(
        html,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Replay of {name}</title><style>{STYLE}</style></head><body>\
         <h1>Replay of {name}</h1><p>{} long, {} events, {} confirmed tracks.</p>",
        clock(report.seconds),
        report.events.len(),
        report.tracks.len()
    );
    timeline(&mut html, report);
    view(&mut html, report);
    html.push_str("<h2>Events</h2>");
    if report.events.is_empty() {
        html.push_str("<p>None.</p>");
    }
    report.events.iter().enumerate().for_each(|(number, shown)| event(&mut html, number, shown));
    why_not(&mut html, report);
    html.push_str("</body></html>\n");
    html
}

fn timeline(html: &mut String, report: &Report) {
    let mut tracks: Vec<_> = report.tracks.iter().collect();
    tracks.sort_by(|(_, a), (_, b)| (b.to - b.from).total_cmp(&(a.to - a.from)));
    tracks.truncate(TRACKS_MAX);
    tracks.sort_by(|(_, a), (_, b)| a.from.total_cmp(&b.from));
    let height = ROW * (report.rules.len() + tracks.len() + 2) as f64;
    let seconds = report.seconds.max(0.1);
    let x = |second: f64| NAMES + (WIDTH - NAMES - 10.0) * second / seconds;
    let _ = write!(html, "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"timeline\">");
    for tick in 0..=10 {
        let at = x(seconds * f64::from(tick) / 10.0);
        let _ = write!(
            html,
            "<line class=\"axis\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{ROW}\" y2=\"{height:.0}\"/>\
             <text x=\"{at:.1}\" y=\"15\" text-anchor=\"{}\">{}</text>",
            if tick == 10 { "end" } else { "middle" },
            clock(seconds * f64::from(tick) / 10.0)
        );
    }
    for (row, rule) in report.rules.iter().enumerate() {
        let y = ROW * (row + 1) as f64;
        label(html, y, &rule.name);
        let of_rule = report.events.iter().enumerate().filter(|(_, shown)| shown.event.rule.id == rule.id);
        for (number, shown) in of_rule {
            let (from, to) = (x(shown.opened), x(shown.closed.unwrap_or(report.seconds)));
            let _ = write!(
                html,
                "<a href=\"#event-{number}\"><rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"3\" \
                 fill=\"{}\"><title>{}</title></rect></a>",
                y + 4.0,
                (to - from).max(4.0),
                ROW - 7.0,
                colour_of(shown.event.severity.as_str()),
                escaped(&shown.event.why)
            );
        }
    }
    for (row, (id, Life { label: kind, from, to })) in tracks.into_iter().enumerate() {
        let y = ROW * (row + report.rules.len() + 2) as f64;
        label(html, y, &format!("{kind} {id}"));
        let _ = write!(
            html,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"6\" rx=\"3\" fill=\"{}\"><title>{kind} {id}: {}-{}</title></rect>",
            x(*from),
            y + 8.0,
            (x(*to) - x(*from)).max(2.0),
            tint(*kind),
            clock(*from),
            clock(*to)
        );
    }
    html.push_str("</svg>");
}

/// The camera's picture with its zones, lines and masks.
fn view(html: &mut String, report: &Report) {
    let Some(jpeg) = &report.view else { return };
    let _ = write!(
        html,
        "<h2>Zones and lines</h2><img alt=\"the first picture with zones, lines and masks\" style=\"max-width:100%\" \
         src=\"data:image/jpeg;base64,{}\">",
        STANDARD.encode(jpeg)
    );
}

fn label(html: &mut String, y: f64, name: &str) {
    let short: String = name.chars().take(24).collect();
    let _ = write!(html, "<text x=\"6\" y=\"{:.1}\">{}</text>", y + 15.0, escaped(&short));
}

fn event(html: &mut String, number: usize, shown: &Shown) {
    let event = &shown.event;
    let severity = event.severity.as_str();
    let lasted = if shown.closed.is_some() { format!(", {} long", lasted(event)) } else { String::new() };
    let _ = write!(
        html,
        "<article id=\"event-{number}\" class=\"{severity}\"><strong>{} {}</strong> ({}, {severity}{lasted}, {} took part)\
         <br>{}<br>",
        clock(shown.opened),
        escaped(&event.rule.name),
        escaped(&event.rule.kind),
        event.count,
        escaped(&event.why)
    );
    for thumbnail in &shown.thumbnails {
        let _ = write!(
            html,
            "<img alt=\"{}\" width=\"480\" height=\"270\" src=\"data:image/jpeg;base64,{}\">",
            escaped(&event.why),
            STANDARD.encode(&thumbnail.0)
        );
    }
    html.push_str("</article>");
}

fn why_not(html: &mut String, report: &Report) {
    let misses = report.misses();
    if misses.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Why not</h2><table><tr><th>from</th><th>to</th><th>rule</th><th>who</th><th>at last</th></tr>",
    );
    for (rule, who, from, to, why) in misses {
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{rule}</td><td>{}</td><td>{}</td></tr>",
            clock(from),
            clock(to),
            escaped(&who),
            escaped(&why)
        );
    }
    html.push_str("</table>");
}

fn colour_of(severity: &str) -> &'static str {
    match severity {
        "critical" => "#b3261e",
        "warning" => "#d98200",
        _ => "#4c78a8",
    }
}

fn tint(label: Label) -> &'static str {
    match label {
        Label::Person => "#c2506b",
        Label::TwoWheeler => "#3f8f5b",
        Label::Car => "#4c78a8",
        Label::LargeVehicle => "#7a5aa6",
        Label::Moving => "#888",
    }
}

/// Escapes markup: names come from configurations.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_events_is_a_page_and_names_are_no_markup() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardwatch.toml");
        let text = "[box]\nward = \"w\"\nid = \"b\"\n[broker]\nurl = \"mqtt://localhost\"\n\
                    [camera.gate]\nmain = \"rtsp://192.168.1.20/main\"\n\
                    [rule.r]\nkind = \"intrusion\"\ncameras = [\"gate\"]\nname = '<b>Sân</b> & \"cổng\"'\n";
        std::fs::write(&path, text).unwrap();
        let rules = crate::config::load(&path).unwrap().rules;
        let html = page("a<b.mp4", &Report::new(rules, Vec::new(), Vec::new()));
        assert!(html.contains("&lt;b&gt;Sân&lt;/b&gt; &amp; &quot;cổng"), "{html}");
        assert!(html.contains("a&lt;b.mp4") && !html.contains("<b>"), "{html}");
        assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    }
}
