//! Figures of a day, a week or a month: load on the officers, their times, and the share of false alerts; with a table as CSV.

use std::time::Duration;

use axum::http::header;
use maud::{Markup, html};

use super::{Say, frame};
use crate::events::{Figures, Period, Share, SourceFigures, Times, Truth};
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::presentation::{Presentation, printable};

/// Lengths that can be chosen, in days, with their names.
const LENGTHS: [(u64, &str, &str); 3] =
    [(1, "24 giờ", "24 hours"), (7, "7 ngày", "7 days"), (30, "30 ngày", "30 days")];
/// Width of the longest bar, and height of a row of a plot, in units of the drawing.
const BAR: u64 = 300;
const ROW: u64 = 26;

/// The figures as a page.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (days, figures) = figures(call)?;
    let (say, words) = (call.say(), call.presentation());
    let body = html! {
        div.sheet {
            h1 { (say.t("Số liệu", "Figures")) }
            nav.row aria-label=(say.t("Khoảng thời gian", "Period")) {
                @for (length, vietnamese, english) in LENGTHS {
                    a.button href=(format!("/figures?days={length}")) aria-current=[(length == days).then_some("true")] { (say.t(vietnamese, english)) }
                }
                a.button href=(format!("/figures.csv?days={days}")) { "CSV" }
            }
            p.muted { (words.time(figures.period.from)) " – " (words.time(figures.period.to)) }
            (tiles(say, &words, &figures))
            h2 { (say.t("Nguồn có nhiều sự kiện nhất", "Sources with the most events")) }
            (bars(say, say.t("Số sự kiện theo nguồn", "Events by source"), &figures.worst, |source| source.events))
            h2 { (say.t("Báo sai nhiều nhất", "Most false alerts")) }
            (bars(say, say.t("Số báo sai theo nguồn", "False events by source"), &figures.false_sources, |source| source.false_share.part))
            @if !figures.outcomes.is_empty() {
                h2 { (say.t("Lý do đóng", "Reasons of closing")) }
                table { tbody { @for (outcome, count) in &figures.outcomes { tr { td { (say.outcome(*outcome)) } td.num { (count) } } } } }
            }
            @if !figures.away.is_empty() {
                h2 { (say.t("Camera mất hình", "Cameras that were away")) }
                div.scroll { table {
                    thead { tr { th { (say.t("Camera", "Camera")) } th { (say.t("Số lần", "Times")) } th { (say.t("Tổng thời gian", "Time together")) } } }
                    tbody { @for camera in &figures.away { tr {
                        td { (printable(&camera.name)) " · " (camera.sender) } td.num { (camera.times) } td.num { (words.span(camera.length)) }
                    } } }
                } }
            }
        }
    };
    Ok(Answer::page(frame(call, say.t("Số liệu", "Figures"), &body)))
}

/// The figures as a table for a spreadsheet.
pub(in crate::page) fn csv(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (days, figures) = figures(call)?;
    let file = Answer::file("text/csv; charset=utf-8", figures.csv().into_bytes());
    Ok(file.with(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"wardpost-{days}.csv\"")))
}

/// The figures of the days that the query names, up to now.
fn figures(call: &Call<'_>) -> Result<(u64, Figures), Fault> {
    let days = call.asked.query.parse("days")?.unwrap_or(7);
    if !LENGTHS.iter().any(|(length, ..)| *length == days) {
        return Err(Fault::Field("days"));
    }
    let now = call.asked.at;
    let period = Period { from: now - Duration::from_secs(days * 24 * 3600), to: now };
    Ok((days, Figures::of(period, &call.storage.facts(period)?, call.site.targets, now)))
}

/// The figures that a chief asks for first.
fn tiles(say: Say, words: &Presentation, figures: &Figures) -> Markup {
    let load = figures.load;
    let [notice, warning, critical] = figures.severities;
    let per_hour = load.alerts_per_operator_hour().map(|rate| decimal(say, rate));
    let peak = load.peak.map(|(at, events)| format!("{events} ({})", words.time(at)));
    let times = |times: Times| {
        let both = times.median.zip(times.p90);
        both.map(|(median, p90)| format!("{} / {}", words.span(median), words.span(p90)))
    };
    let of = |truth| {
        figures.outcomes.iter().filter(|(outcome, _)| outcome.truth() == truth).map(|(_, count)| count).sum()
    };
    let (right, wrong): (u64, u64) = (of(Truth::True), of(Truth::False));
    let false_share = Share { part: wrong, whole: right + wrong };
    let rows = [
        (say.t("Sự kiện", "Events"), Some(load.events.to_string())),
        (say.t("Cảnh báo", "Alerts"), Some(load.alerts.to_string())),
        (say.t("Cảnh báo mỗi giờ trực", "Alerts per operator-hour"), per_hour),
        (say.t("10 phút cao điểm", "Peak 10 minutes"), peak),
        (say.t("Thời gian dồn dập", "Time in flood"), Some(words.span(load.flood))),
        (
            say.t("Khẩn cấp / quan trọng / lưu ý", "Critical / warning / notice"),
            Some(format!("{critical} / {warning} / {notice}")),
        ),
        (say.t("Thời gian nhận (trung vị / 90 %)", "Time to take (median / 90 %)"), times(figures.to_take)),
        (say.t("Thời gian đóng (trung vị / 90 %)", "Time to close (median / 90 %)"), times(figures.to_close)),
        (say.t("Nhận đúng hạn", "Taken within target"), percent(say, figures.within_target)),
        (say.t("Báo sai", "False"), percent(say, false_share)),
        (say.t("Nguồn tạm tắt: sự kiện", "Shelved events"), Some(load.shelved.to_string())),
    ];
    html! {
        dl.tiles { @for (name, value) in rows {
            div { dt { (name) } dd { (value.unwrap_or_else(|| "–".to_owned())) } }
        } }
    }
}

fn decimal(say: Say, value: f64) -> String {
    let text = format!("{value:.1}");
    if say.t("vi", "en") == "vi" { text.replace('.', ",") } else { text }
}

fn percent(say: Say, share: Share) -> Option<String> {
    share.ratio().map(|ratio| format!("{} % ({}/{})", decimal(say, 100.0 * ratio), share.part, share.whole))
}

/// A bar for each source, drawn as SVG without a script.
fn bars(say: Say, title: &str, sources: &[SourceFigures], count: impl Fn(&SourceFigures) -> u64) -> Markup {
    let most = sources.iter().map(&count).max().unwrap_or(0).max(1);
    let height = ROW * sources.len() as u64;
    html! {
        @if sources.is_empty() { p.empty { (say.t("Không có.", "None.")) } }
        @else {
            svg.plot role="img" aria-label=(title) viewBox=(format!("0 0 760 {height}")) {
                @for (row, source) in (0..).zip(sources) {
                    @let (value, top) = (count(source), row * ROW);
                    text x="0" y=(top + 17) { (short(&format!("{} · {}", printable(&source.names.0), printable(&source.names.1)))) }
                    rect x="400" y=(top + 4) width=((BAR * value / most).max(2)) height="16" rx="2" {}
                    text.value x=(410 + (BAR * value / most).max(2)) y=(top + 17) { (value) }
                }
            }
        }
    }
}

/// A name that fits beside its bar.
fn short(name: &str) -> String {
    const FITS: usize = 52;
    if name.chars().count() <= FITS {
        name.to_owned()
    } else {
        name.chars().take(FITS - 1).chain(['…']).collect()
    }
}
