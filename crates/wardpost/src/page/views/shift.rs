//! Shifts: an officer begins and ends one, and hands over what is open. The sheet of each shift can be opened and printed later.

use maud::{Markup, html};

use super::act::author;
use super::{Say, card, frame, shape, token};
use crate::events::Note;
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::people::UserName;
use crate::presentation::{Presentation, printable};
use crate::storage::{HandOver, HandedEvent, HandedHoles, Shift};

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
            (last_shifts(say, &words, &shifts))
        }
    };
    Ok(Answer::page(frame(call, say.t("Giao ca", "Hand-over"), &body)))
}

fn last_shifts(say: Say, words: &Presentation, shifts: &[Shift]) -> Markup {
    html! {
        section.noprint {
            h2 { (say.t("Các ca gần đây", "Last shifts")) }
            div.scroll { table {
                thead { tr { th { (say.t("Cán bộ", "Officer")) } th { (say.t("Bắt đầu", "Begun")) } th { (say.t("Âm báo", "Sound")) } th { (say.t("Kết thúc", "Ended")) } th { (say.t("Lời nhắn", "Remark")) } th { (say.t("Biên bản", "Sheet")) } } }
                tbody { @for shift in shifts { tr {
                    td { (shift.officer) } td.num { (words.time(shift.begun_at)) }
                    td { (sound(say, shift)) }
                    td.num { @if let Some(at) = shift.ended_at { (words.time(at)) } @else { (say.t("đang trực", "on duty")) } }
                    td { @if let Some(state) = &shift.hand_over { (state.remark.as_str()) } }
                    td { @if shift.ended_at.is_some() {
                        a href=(format!("/shift/print?id={}", shift.number)) target="_blank" { (say.t("Xem, in", "Open, print")) }
                    } }
                } } }
            } }
        }
    }
}

const fn sound(say: Say, shift: &Shift) -> &'static str {
    if shift.sound_tested { say.t("đã thử", "tested") } else { say.t("chưa thử", "not tested") }
}

/// The sheet of a shift that has ended.
pub(in crate::page) fn print(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (say, words) = (call.say(), call.presentation());
    let number: u64 = call.asked.query.parse("id")?.ok_or(Fault::Field("id"))?;
    let shift = call.storage.shift(number)?.ok_or(Fault::Nothing)?;
    let ended_at = shift.ended_at.ok_or(Fault::Nothing)?;
    let account = shift.officer.parse::<UserName>().ok().map(|name| call.storage.user(&name)).transpose()?;
    let name = account.flatten().map(|user| user.full_name);
    let body = html! {
        div.paper {
            p.muted { (say.t("In lúc", "Printed")) " " (words.time(call.asked.at)) " · " (call.who()) }
            p { strong { (name.as_deref().unwrap_or(&shift.officer)) } " (" (shift.officer) ") · " (words.time(shift.begun_at)) " – " (words.time(ended_at))
                " · " (say.t("âm báo", "sound")) ": " (sound(say, &shift)) }
            @match &shift.hand_over {
                Some(state) => {
                    @if !state.remark.as_str().is_empty() { p.remark { (say.t("Lời nhắn", "Remark")) ": " (state.remark.as_str()) } }
                    (handed(say, &words, state))
                }
                None => p.fault { (say.t("Không đọc được nội dung: một phiên bản khác đã ghi biên bản này.", "It cannot be read: another version wrote it.")) },
            }
            div.signatures { p { (say.t("Người giao", "Handed over by")) } p { (say.t("Người nhận", "Taken over by")) } }
        }
    };
    let title = format!("{} {}", say.t("Biên bản giao ca", "Hand-over of shift"), shift.number);
    Ok(Answer::page(card(say, call.asked, &title, &body)))
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
                button type="button" data-do="hear" { "♪ " (say.t("Nghe thử âm khẩn cấp", "Play the critical sound")) }
                label.inline { input type="checkbox" name="sound" value="1" disabled data-needs-sound; span { (say.t("Tôi đã nghe âm thử", "I heard the test sound")) } }
                button.primary { (say.t("Bắt đầu ca", "Begin the shift")) }
            }
            p data-heard role="status" data-played=(say.t("Đã phát âm khẩn cấp. Nếu nghe rõ, hãy đánh dấu rồi bắt đầu ca.", "The critical sound was played. If you heard it, say so and begin the shift."))
                data-blocked=(say.t("Trình duyệt chặn âm báo, hoặc máy không có loa. Hãy cho phép trang này phát âm thanh rồi thử lại.", "The browser blocks the sound, or there is no loudspeaker. Allow this page to play sound, and try again.")) {}
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
        h2 { (say.t("Thiết bị đang thử nghiệm", "Boxes on test")) }
        @if state.on_test.is_empty() { (nothing()) } @else { ul { @for one in &state.on_test { li { (one.ward) "/" (one.box_id) } } } }
        h2 { (say.t("Cảnh báo còn thiếu", "Alerts that are missing")) " (" (state.missing) ")" }
        @if state.missing == 0 { (nothing()) } @else { ul { @for of_box in &state.holes { (holes(say, of_box)) } } }
    }
}

/// The missing alerts of one box.
fn holes(say: Say, of_box: &HandedHoles) -> Markup {
    let numbers = of_box
        .runs
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}–{last}") });
    let numbers = numbers.collect::<Vec<_>>().join(", ");
    let named: u64 = of_box.runs.iter().map(|(first, last)| last - first + 1).sum();
    html! {
        li.missing {
            (of_box.ward) "/" (of_box.box_id) ": " strong { (of_box.alerts) } " " (say.t("cảnh báo, số", "alerts, numbers")) " " (numbers)
            @if named < of_box.alerts { " …" }
            @if of_box.is_former { " · " (say.t("đánh số cũ của thiết bị, có thể không đến nữa", "of a former numbering of the box; they may never come")) }
        }
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
