//! Figures of a shift, a day, a week or a month: load on the officers, their times, and the share of false alerts; with a table as
//! CSV. Earlier periods and each of the last shifts can be chosen.

use std::time::Duration;

use axum::http::header;
use maud::{Markup, html};

use super::plots::{self, bars, share_row};
use super::{Say, frame};
use crate::events::{
    Course, FALSE_RANKED_MIN, Facts, FalseFigures, Figures, Period, Share, SourceFigures, Times,
};
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::presentation::{Presentation, printable};
use crate::storage::Shift;

/// Lengths that can be chosen, in days, with their names.
const LENGTHS: [(u64, &str, &str); 3] =
    [(1, "24 giờ", "24 hours"), (7, "7 ngày", "7 days"), (30, "30 ngày", "30 days")];
/// Days that the first period may lie back.
const BACK_DAYS_MAX: u64 = 400;
/// Shifts that are listed.
const SHIFTS_SHOWN: usize = 20;

/// The chosen period.
#[derive(Debug, Clone)]
enum Chosen {
    /// So many days, so many times back.
    Days { days: u64, back: u64 },
    /// One shift.
    Shift(Box<Shift>),
}

impl Chosen {
    /// The choice that the query names: a week up to now where it names none.
    fn of(call: &Call<'_>) -> Result<Self, Fault> {
        if let Some(number) = call.asked.query.parse::<u64>("shift")? {
            let shift = call.storage.shift(number)?.ok_or(Fault::Nothing)?;
            return Ok(Self::Shift(Box::new(shift)));
        }
        let days = call.asked.query.parse("days")?.unwrap_or(7);
        let back = call.asked.query.parse("back")?.unwrap_or(0u64);
        let is_known = LENGTHS.iter().any(|(length, ..)| *length == days);
        if !is_known || back.checked_mul(days).is_none_or(|all| all > BACK_DAYS_MAX) {
            return Err(Fault::Field("days"));
        }
        Ok(Self::Days { days, back })
    }

    fn period(&self, call: &Call<'_>) -> Period {
        match self {
            Self::Days { days, back } => {
                let length = Duration::from_secs(days * 24 * 3600);
                let to = call.asked.at - length * u32::try_from(*back).unwrap_or(0);
                Period { from: to - length, to }
            }
            Self::Shift(shift) => period_of(shift, call),
        }
    }

    /// The query that names it.
    fn query(&self) -> String {
        match self {
            Self::Days { days, back: 0 } => format!("days={days}"),
            Self::Days { days, back } => format!("days={days}&back={back}"),
            Self::Shift(shift) => format!("shift={}", shift.number),
        }
    }
}

fn period_of(shift: &Shift, call: &Call<'_>) -> Period {
    Period { from: shift.begun_at, to: shift.ended_at.unwrap_or(call.asked.at).max(shift.begun_at) }
}

/// Facts, figures and course of a period.
fn read(call: &Call<'_>, period: Period) -> Result<(Figures, Facts), Fault> {
    let facts = call.storage.facts(period)?;
    Ok((Figures::of(period, &facts, call.site.targets, call.asked.at), facts))
}

/// The figures as a page.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let say = call.say();
    let body = if call.asked.query.get("by") == Some("shift") {
        html! { (choice(say, None)) (shifts(call)?) }
    } else {
        let chosen = Chosen::of(call)?;
        let (figures, facts) = read(call, chosen.period(call))?;
        let course = Course::of(figures.period, &facts, &call.site.timezone, call.asked.at);
        html! { (choice(say, Some(&chosen))) (whole(call, &chosen, &figures, &course)) }
    };
    let body = html! { div.sheet { h1 { (say.t("Số liệu", "Figures")) } (body) } };
    Ok(Answer::page(frame(call, say.t("Số liệu", "Figures"), &body)))
}

/// The periods that can be chosen; none is present on the page of the shifts.
fn choice(say: Say, chosen: Option<&Chosen>) -> Markup {
    let is_present = |length: u64| matches!(chosen, Some(Chosen::Days { days, .. }) if *days == length);
    let of_shifts = !matches!(chosen, Some(Chosen::Days { .. }));
    html! {
        nav.row aria-label=(say.t("Khoảng thời gian", "Period")) {
            a.button href="/figures?by=shift" aria-current=[of_shifts.then_some("true")] { (say.t("Theo ca trực", "By shift")) }
            @for (length, vietnamese, english) in LENGTHS {
                a.button href=(format!("/figures?days={length}")) aria-current=[is_present(length).then_some("true")] { (say.t(vietnamese, english)) }
            }
            @if let Some(Chosen::Days { days, back }) = chosen {
                @if (back + 1) * days <= BACK_DAYS_MAX {
                    a.button href=(format!("/figures?days={days}&back={}", back + 1)) rel="prev" { "← " (say.t("trước đó", "earlier")) }
                }
                @if *back > 0 { a.button href=(format!("/figures?days={days}&back={}", back - 1)) rel="next" { (say.t("sau đó", "later")) " →" } }
            }
            @if let Some(chosen) = chosen { a.button href=(format!("/figures.csv?{}", chosen.query())) { "CSV" } }
        }
    }
}

/// Everything about one period.
fn whole(call: &Call<'_>, chosen: &Chosen, figures: &Figures, course: &Course) -> Markup {
    let (say, words) = (call.say(), call.presentation());
    html! {
        p.muted {
            @if let Chosen::Shift(shift) = chosen { (say.t("Ca trực của", "Shift of")) " " (shift.officer) ": " }
            (words.time(figures.period.from)) " – " (words.time(figures.period.to))
        }
        (tiles(say, &words, figures))
        h2 { (say.t("Sự kiện theo giờ trong ngày", "Events by hour of the day")) }
        (plots::hours(say, course))
        @if course.days.len() > 2 {
            h2 { (say.t("Sự kiện theo ngày", "Events by day")) }
            (plots::days(say, &words, course))
        }
        h2 { (say.t("Thời gian đến khi có người nhận", "Time until somebody took it")) }
        (plots::to_take(say, course))
        h2 { (say.t("Nguồn có nhiều sự kiện nhất", "Sources with the most events")) }
        (sources(say, &figures.worst))
        h2 { (say.t("Tỷ lệ báo sai theo camera", "False share by camera")) }
        (false_shares(say, say.t("Tỷ lệ báo sai theo camera", "False share by camera"), &figures.false_cameras))
        h2 { (say.t("Tỷ lệ báo sai theo quy tắc", "False share by rule")) }
        (false_shares(say, say.t("Tỷ lệ báo sai theo quy tắc", "False share by rule"), &figures.false_rules))
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
}

/// A row for each of the last shifts.
fn shifts(call: &Call<'_>) -> Result<Markup, Fault> {
    let (say, words) = (call.say(), call.presentation());
    let mut rows = Vec::new();
    for shift in call.storage.shifts(SHIFTS_SHOWN)? {
        let (figures, _) = read(call, period_of(&shift, call))?;
        rows.push((shift, figures));
    }
    let none = || "–".to_owned();
    Ok(html! {
        p.muted { (say.t("Mỗi dòng là một ca. Bấm vào tên cán bộ để xem toàn bộ số liệu của ca đó.", "Each row is a shift. The officer's name leads to all figures of it.")) }
        @if rows.is_empty() { p.empty { (say.t("Chưa có ca trực nào.", "There is no shift yet.")) } }
        @else { div.scroll { table.shifts {
            thead { tr {
                th { (say.t("Ca của", "Shift of")) } th { (say.t("Từ", "From")) } th { (say.t("Dài", "Length")) } th { (say.t("Cảnh báo", "Alerts")) }
                th { (say.t("Mỗi giờ trực", "Per operator-hour")) } th { (say.t("10 phút cao điểm", "Peak 10 minutes")) } th { (say.t("Dồn dập", "In flood")) }
                th { (say.t("Nhận (trung vị / 90 %)", "Take (median / 90 %)")) } th { (say.t("Đóng (trung vị / 90 %)", "Close (median / 90 %)")) }
                th { (say.t("Nhận đúng hạn", "Within target")) } th { (say.t("Báo sai", "False")) }
            } }
            tbody { @for (shift, figures) in &rows { tr {
                td { a href=(format!("/figures?shift={}", shift.number)) { (shift.officer) } } td.num { (words.time(shift.begun_at)) }
                td.num { (words.span(figures.period.length())) @if shift.ended_at.is_none() { " · " (say.t("đang trực", "on duty")) } }
                td.num { (figures.load.alerts) }
                td.num { (figures.load.alerts_per_operator_hour().map_or_else(none, |rate| decimal(say, rate))) }
                td.num { (figures.load.peak.map_or(0, |(_, events)| events)) }
                td.num { (figures.load.flood_share().map_or_else(none, |share| ratio(say, share))) }
                td.num { (both(&words, figures.to_take).unwrap_or_else(none)) } td.num { (both(&words, figures.to_close).unwrap_or_else(none)) }
                td.num { (percent(say, figures.within_target).unwrap_or_else(none)) } td.num { (percent(say, figures.false_share).unwrap_or_else(none)) }
            } } }
        } } }
    })
}

/// The figures as a table for a spreadsheet.
pub(in crate::page) fn csv(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let chosen = Chosen::of(call)?;
    let (figures, facts) = read(call, chosen.period(call))?;
    let course = Course::of(figures.period, &facts, &call.site.timezone, call.asked.at);
    let file = Answer::file("text/csv; charset=utf-8", (figures.csv() + &course.csv()).into_bytes());
    let name = match &chosen {
        Chosen::Days { days, back: 0 } => format!("wardpost-{days}.csv"),
        Chosen::Days { days, back } => format!("wardpost-{days}-{back}.csv"),
        Chosen::Shift(shift) => format!("wardpost-shift-{}.csv", shift.number),
    };
    Ok(file.with(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\"")))
}

/// The figures that a chief asks for first.
fn tiles(say: Say, words: &Presentation, figures: &Figures) -> Markup {
    let load = figures.load;
    let [notice, warning, critical] = figures.severities;
    let per_hour = load.alerts_per_operator_hour().map(|rate| decimal(say, rate));
    let peak = load.peak.map(|(at, events)| format!("{events} ({})", words.time(at)));
    let flood = load.flood_share().map_or_else(String::new, |share| format!(" ({})", ratio(say, share)));
    let rows = [
        (say.t("Sự kiện", "Events"), Some(load.events.to_string())),
        (say.t("Cảnh báo", "Alerts"), Some(load.alerts.to_string())),
        (say.t("Cảnh báo mỗi giờ trực", "Alerts per operator-hour"), per_hour),
        (say.t("10 phút cao điểm", "Peak 10 minutes"), peak),
        (say.t("Thời gian dồn dập", "Time in flood"), Some(format!("{}{flood}", words.span(load.flood)))),
        (
            say.t("Khẩn cấp / quan trọng / lưu ý", "Critical / warning / notice"),
            Some(format!("{critical} / {warning} / {notice}")),
        ),
        (
            say.t("Thời gian nhận (trung vị / 90 %)", "Time to take (median / 90 %)"),
            both(words, figures.to_take),
        ),
        (
            say.t("Thời gian đóng (trung vị / 90 %)", "Time to close (median / 90 %)"),
            both(words, figures.to_close),
        ),
        (say.t("Nhận đúng hạn", "Taken within target"), percent(say, figures.within_target)),
        (say.t("Báo sai", "False"), percent(say, figures.false_share)),
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

/// Median and nine of ten.
fn both(words: &Presentation, times: Times) -> Option<String> {
    let both = times.median.zip(times.p90);
    both.map(|(median, p90)| format!("{} / {}", words.span(median), words.span(p90)))
}

fn ratio(say: Say, ratio: f64) -> String {
    format!("{} %", decimal(say, 100.0 * ratio))
}

fn percent(say: Say, share: Share) -> Option<String> {
    share.ratio().map(|of| format!("{} ({}/{})", ratio(say, of), share.part, share.whole))
}

/// A bar for each source.
fn sources(say: Say, sources: &[SourceFigures]) -> Markup {
    let rows = sources.iter().map(|source| {
        let name = format!("{} · {}", printable(&source.names.0), printable(&source.names.1));
        (name, source.events.to_string(), source.events)
    });
    let rows: Vec<_> = rows.collect();
    html! {
        @if rows.is_empty() { p.empty { (say.t("Không có.", "None.")) } }
        @else { (bars(say.t("Số sự kiện theo nguồn", "Events by source"), &rows)) }
    }
}

/// A bar for each share; those of few events are marked.
fn false_shares(say: Say, title: &str, shares: &[FalseFigures]) -> Markup {
    let few = say.t("ít sự kiện", "few events");
    let rows = shares.iter().map(|row| {
        let mark = if row.is_ranked() { String::new() } else { format!(" · {few}") };
        let text = format!("{}{mark}", percent(say, row.share).unwrap_or_default());
        share_row(printable(&row.name), text, row.share)
    });
    let rows: Vec<_> = rows.collect();
    html! {
        @if rows.is_empty() { p.empty { (say.t("Chưa có sự kiện nào được xác nhận đúng hay sai.", "No event was judged yet.")) } }
        @else {
            (bars(title, &rows))
            @if shares.iter().any(|row| !row.is_ranked()) {
                p.small { (few) ": " (say.t("dưới", "fewer than")) " " (FALSE_RANKED_MIN) " " (say.t("sự kiện đã đóng, chưa đủ để so sánh.", "closed events, too few to compare.")) }
            }
        }
    }
}
