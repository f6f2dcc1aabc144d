//! Shifts: an officer begins and ends one, and hands over what is open. The page prints as one sheet.

use maud::{Markup, html};

use super::act::author;
use super::{Say, frame, shape, token};
use crate::events::Note;
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::presentation::{Presentation, printable};
use crate::storage::{HandOver, HandedEvent, Shift};

/// Shifts that are listed.
const SHIFTS_SHOWN: usize = 20;

/// The state of this moment as it would be handed over, and the last shifts.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (say, words) = (call.say(), call.presentation());
    let (officer, _) = author(call)?;
    let state = call.storage.hand_over(call.asked.at)?;
    let shifts = call.storage.shifts(SHIFTS_SHOWN)?;
    let own = shifts.iter().find(|shift| shift.ended_at.is_none() && shift.officer == officer.as_str());
    let body = html! {
        div.sheet.paper {
            h1 { (say.t("Giao ca", "Hand-over")) " · " (words.time(state.at)) }
            (forms(call, own))
            (handed(say, &words, &state))
            h2 { (say.t("Các ca gần đây", "Last shifts")) }
            div.scroll { table {
                thead { tr { th { (say.t("Cán bộ", "Officer")) } th { (say.t("Bắt đầu", "Begun")) } th { (say.t("Âm báo", "Sound")) } th { (say.t("Kết thúc", "Ended")) } th { (say.t("Lời nhắn", "Remark")) } } }
                tbody { @for shift in &shifts { tr {
                    td { (shift.officer) } td.num { (words.time(shift.begun_at)) }
                    td { (if shift.sound_tested { say.t("đã thử", "tested") } else { say.t("chưa thử", "not tested") }) }
                    td.num { @if let Some(at) = shift.ended_at { (words.time(at)) } @else { (say.t("đang trực", "on duty")) } }
                    td { @if let Some(state) = &shift.hand_over { (state.remark.as_str()) } }
                } } }
            } }
        }
    };
    Ok(Answer::page(frame(call, say.t("Giao ca", "Hand-over"), &body)))
}

fn forms(call: &Call<'_>, own: Option<&Shift>) -> Markup {
    let say = call.say();
    html! {
        @if let Some(shift) = own {
            form.row method="post" action="/shift/end" {
                (token(call))
                input type="hidden" name="shift" value=(shift.number);
                label { (say.t("Lời nhắn cho ca sau", "Remark for the next shift")) input name="remark" maxlength="500" autocomplete="off"; }
                button.primary { (say.t("Kết thúc ca", "End the shift")) }
            }
        } @else {
            form.row method="post" action="/shift/begin" {
                (token(call))
                label.inline { input type="checkbox" name="sound" value="1"; span { (say.t("Tôi đã nghe âm thử", "I heard the test sound")) } }
                button.primary { (say.t("Bắt đầu ca", "Begin the shift")) }
            }
        }
    }
}

fn handed(say: Say, words: &Presentation, state: &HandOver) -> Markup {
    let [open, parked, shelved] = state.counts;
    let nothing = || html! { p.empty { (say.t("Không có.", "None.")) } };
    html! {
        h2 { (say.t("Đang chờ", "Waiting")) " (" (open) ")" }
        (events(say, words, &state.open))
        h2 { (say.t("Hoãn lại", "Parked")) " (" (parked) ")" }
        (events(say, words, &state.parked))
        h2 { (say.t("Nguồn đang tạm tắt", "Shelved sources")) " (" (state.shelves.len()) "; " (say.t("sự kiện", "events")) ": " (shelved) ")" }
        @if state.shelves.is_empty() { (nothing()) } @else { ul { @for shelf in &state.shelves {
            li { (shelf.ward) "/" (shelf.box_id) @if let Some(camera) = &shelf.camera { "/" (printable(camera)) } @if let Some(rule) = &shelf.rule { " · " (printable(rule)) }
                ": " (shelf.reason) " (" (shelf.who) ", " (say.t("đến", "until")) " " (words.time(shelf.until)) ")" }
        } } }
        h2 { (say.t("Thiết bị và camera mất kết nối", "Boxes and cameras that are away")) }
        @if state.silent.is_empty() && state.away.is_empty() { (nothing()) } @else { ul {
            @for one in &state.silent { li { (one.ward) "/" (one.box_id) @if let Some(at) = one.heard_at { " · " (say.t("tin cuối", "last heard")) " " (words.time(at)) } } }
            @for one in &state.away { li { (one.ward) "/" (one.box_id) "/" (one.camera) " · " (say.t("mất hình từ", "away since")) " " (words.time(one.since)) } }
        } }
        @if state.missing > 0 { p.fault { (say.t("Số cảnh báo còn thiếu: ", "Alerts that are missing: ")) (state.missing) } }
    }
}

fn events(say: Say, words: &Presentation, events: &[HandedEvent]) -> Markup {
    html! {
        @if events.is_empty() { p.empty { (say.t("Không có.", "None.")) } }
        @else { div.scroll { table { tbody { @for event in events { tr {
            td { (shape(event.severity)) " " (say.severity(event.severity)) }
            td { a href=(format!("/event?id={}", event.event)) { (printable(&event.camera)) } } td { (printable(&event.rule)) }
            td.num { (words.time(event.first_at)) } td { @if let Some(by) = &event.by { (by) } }
        } } } } } }
    }
}

/// Begins the officer's shift.
pub(in crate::page) fn begin(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (officer, _) = author(call)?;
    let has_heard = call.form.get("sound").is_some();
    call.storage.begin_shift(&officer, has_heard, call.asked.at)?;
    Ok(Answer::go("/shift"))
}

/// Ends the officer's shift with the state of this moment.
pub(in crate::page) fn end(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (officer, _) = author(call)?;
    let shift = call.form.parse("shift")?.ok_or(Fault::Field("shift"))?;
    let remark: Note =
        call.form.get("remark").unwrap_or_default().parse().map_err(|_| Fault::Field("remark"))?;
    call.storage.end_shift(shift, &officer, &remark, call.asked.at)?;
    Ok(Answer::go("/shift"))
}
