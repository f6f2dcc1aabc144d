//! Shelves: cameras and rules that are kept out of the queue for a time, and the sources with the most events.

use std::time::Duration;

use maud::{Markup, html};

use super::act::author;
use super::{frame, token};
use crate::events::{Covered, ShelfRefusal, ShelfScope};
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::storage::{NewShelf, Shelf};

/// Sources that are listed.
const SOURCES_MAX: usize = 10;

/// All shelves that last, and the worst sources of the last ten minutes.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (say, words) = (call.say(), call.presentation());
    let shelves = call.storage.shelves()?;
    let sources = call.storage.worst_sources(call.asked.at, SOURCES_MAX)?;
    let body = html! {
        div.sheet {
            h1 { (say.t("Nguồn đang tạm tắt", "Shelved sources")) }
            p.muted { (say.t("Cảnh báo của các nguồn này vẫn được lưu, nhưng không vào hàng đợi và không có âm báo.", "Alerts of these sources are stored all the same; they are not in the queue, and make no sound.")) " " a href="/?tab=shelved" { (say.t("Xem sự kiện", "See the events")) } }
            @if shelves.is_empty() { p.empty { (say.t("Không có nguồn nào đang tạm tắt.", "No source is shelved.")) } }
            @else { div.scroll { table {
                thead { tr { th { (say.t("Nguồn", "Source")) } th { (say.t("Lý do", "Reason")) } th { (say.t("Ai", "By")) } th { (say.t("Từ", "From")) } th { (say.t("Đến", "Until")) } th { (say.t("Sự kiện", "Events")) } th {} } }
                tbody { @for shelf in &shelves { tr {
                    td { (source(shelf)) } td { (shelf.reason) } td { (shelf.who) }
                    td.num { (words.time(shelf.begun_at)) } td.num { (words.time(shelf.until)) } td.num { (shelf.events) }
                    td { form method="post" action="/unshelve" { (token(call)) input type="hidden" name="shelf" value=(shelf.number); input type="hidden" name="back" value="/shelves"; button.small { (say.t("Bật lại", "End it")) } } }
                } } }
            } } }
            h2 { (say.t("Nhiều sự kiện nhất trong 10 phút qua", "Most events in the last 10 minutes")) }
            @if sources.is_empty() { p.empty { (say.t("Không có sự kiện nào.", "There are none.")) } }
            @else { div.scroll { table {
                thead { tr { th { (say.t("Nguồn", "Source")) } th { (say.t("Sự kiện", "Events")) } th { (say.t("Tạm tắt 1 giờ", "Shelve for 1 hour")) } } }
                tbody { @for (source, count) in &sources { tr {
                    td { (source.sender) "/" (source.camera) " · " (source.rule) } td.num { (count) }
                    td { form.row method="post" action="/shelve" {
                        (token(call)) input type="hidden" name="back" value="/shelves";
                        input type="hidden" name="hours" value="1"; input type="hidden" name="scope" value="both";
                        input type="hidden" name="ward" value=(source.sender.ward); input type="hidden" name="box" value=(source.sender.box_id);
                        input type="hidden" name="camera" value=(source.camera); input type="hidden" name="rule" value=(source.rule);
                        input name="reason" required maxlength="200" aria-label=(say.t("Lý do", "Reason")) value=(say.t("quá nhiều sự kiện", "too many events"));
                        button.small { (say.t("Tạm tắt", "Shelve")) }
                    } }
                } } }
            } } }
        }
    };
    Ok(Answer::page(frame(call, say.t("Tạm tắt", "Shelved"), &body)))
}

fn source(shelf: &Shelf) -> Markup {
    let covered = &shelf.scope.covered;
    html! {
        (shelf.scope.sender)
        @if let Some(camera) = covered.camera() { "/" (camera) }
        @if let Some(rule) = covered.rule() { " · " (rule) }
    }
}

/// Sets a shelf: of an event's source, or of a source that the form names.
pub(in crate::page) fn shelve(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (officer, authority) = author(call)?;
    let hours: u64 = call.form.parse("hours")?.ok_or(Fault::Field("hours"))?;
    let reason = call.form.need("reason")?.parse().map_err(|_| Fault::Field("reason"))?;
    let until = call.asked.at + Duration::from_secs(hours.min(24 * 366) * 3600);
    let new = NewShelf { scope: scope(call)?, reason, until };
    let say = call.say();
    match call.storage.shelve(&new, &officer, authority, call.asked.at)? {
        Ok(_) => Ok(call.done(say.t("Đã tạm tắt nguồn này.", "The source is shelved."))),
        Err(ShelfRefusal::TooLong { .. }) => Ok(call.refused(say.t(
            "Cán bộ trực tạm tắt tối đa 8 giờ, chỉ huy tối đa 7 ngày.",
            "A duty officer shelves for 8 hours at most, a commander for 7 days.",
        ))),
        Err(ShelfRefusal::Already { .. }) => {
            Ok(call.refused(say.t("Nguồn này đang tạm tắt rồi.", "This source is shelved already.")))
        }
        Err(ShelfRefusal::EndHasPassed | ShelfRefusal::NoReason) => Err(Fault::Field("reason")),
    }
}

fn scope(call: &Call<'_>) -> Result<ShelfScope, Fault> {
    let (sender, camera, rule) = match call.form.parse::<u64>("id")? {
        Some(number) => {
            let source = call.storage.event(number)?.ok_or(Fault::Nothing)?.source;
            (source.sender, source.camera, source.rule)
        }
        None => {
            let sender = crate::arrival::Sender {
                ward: call.form.parse("ward")?.ok_or(Fault::Field("ward"))?,
                box_id: call.form.parse("box")?.ok_or(Fault::Field("box"))?,
            };
            let camera = call.form.parse("camera")?.ok_or(Fault::Field("camera"))?;
            (sender, camera, call.form.parse("rule")?.ok_or(Fault::Field("rule"))?)
        }
    };
    let covered = match call.form.need("scope")? {
        "both" => Covered::RuleAtCamera(camera, rule),
        "camera" => Covered::Camera(camera),
        "rule" => Covered::Rule(rule),
        _ => return Err(Fault::Field("scope")),
    };
    Ok(ShelfScope { sender, covered })
}

/// Ends a shelf.
pub(in crate::page) fn unshelve(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (officer, _) = author(call)?;
    let shelf: u64 = call.form.parse("shelf")?.ok_or(Fault::Field("shelf"))?;
    let say = call.say();
    if call.storage.unshelve(shelf, &officer, call.asked.at)? {
        return Ok(call.done(say.t("Đã bật lại.", "It is ended.")));
    }
    Ok(call.refused(say.t("Nguồn này đã được bật lại trước đó.", "It has ended already.")))
}
