//! The lists of events: the queue, severity first, then the oldest; parked, shelved, test and closed ones.

use maud::{Markup, html};

use super::{frame, row, token};
use crate::arrival::Sender;
use crate::page::answer::{Answer, Fault};
use crate::page::call::{Call, box_of, camera_of};
use crate::page::feed::tab;
use crate::storage::{Counts, Queue, QueueFilter, Tab};
use base::ids::CameraId;

/// Maximum number of events of a list.
const LIST_MAX: usize = 300;

/// A list of events, and beside it a place for one of them. With `part`, the list alone.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (say, tab) = (call.say(), tab(call.asked));
    let camera = narrowed(call)?;
    let queue = call.storage.queue(&QueueFilter { tab, camera, limit: LIST_MAX })?;
    if call.asked.query.get("part").is_some() {
        return Ok(Answer::page(list(call, &queue, tab)));
    }
    let body = html! {
        div.duty {
            section.queue aria-label=(say.tab(tab)) {
                (tabs(call, tab, queue.counts))
                (flood(call))
                @if let Some(camera) = call.asked.query.get("camera") {
                    p.filter { (say.t("Chỉ camera", "Only camera")) " " strong { (camera) } " " a href="/" { (say.t("bỏ lọc", "all cameras")) } }
                } @else if let Some(of_box) = call.asked.query.get("box") {
                    p.filter { (say.t("Chỉ thiết bị", "Only box")) " " strong { (of_box) } " " a href="/" { (say.t("bỏ lọc", "all boxes")) } }
                }
                (list(call, &queue, tab))
            }
            aside.detail data-detail aria-live="off" {
                p.hint { (say.t("Chọn một sự kiện để xem chi tiết.", "Choose an event to see it.")) }
            }
        }
        (help(call))
    };
    Ok(Answer::page(frame(call, say.tab(tab), &body)))
}

/// The banner of a flood, with the one click that shelves the worst source. The script fills in the source of the last beat.
fn flood(call: &Call<'_>) -> Markup {
    let say = call.say();
    html! {
        div.flood data-flood role="status" hidden {
            p {
                strong { "≋ " (say.t("DỒN DẬP từ", "FLOOD since")) " " span data-flood-since {} "." }
                " " (say.t("Trên 10 sự kiện trong 10 phút. Danh sách đã gộp theo camera và quy tắc.", "More than 10 events in 10 minutes. The list is folded by camera and rule."))
            }
            form.worst method="post" action="/shelve" data-act data-flood-worst hidden {
                (token(call))
                @for name in ["ward", "box", "camera", "rule"] { input type="hidden" name=(name); }
                input type="hidden" name="scope" value="both"; input type="hidden" name="hours" value="1";
                input type="hidden" name="reason" value=(say.t("quá nhiều sự kiện", "too many events"));
                button { (say.t("Tạm tắt 1 giờ:", "Shelve for 1 hour:")) " " span data-flood-source {} }
                a href="/shelves" { (say.t("Các nguồn khác…", "Other sources …")) }
            }
        }
    }
}

/// The box, or the camera of it, that the query names.
fn narrowed(call: &Call<'_>) -> Result<Option<(Sender, Option<CameraId>)>, Fault> {
    if let Some(written) = call.asked.query.get("camera") {
        let (sender, camera) = camera_of(written)?;
        return Ok(Some((sender, Some(camera))));
    }
    call.asked.query.get("box").map(|written| Ok((box_of(written)?, None))).transpose()
}

fn list(call: &Call<'_>, queue: &Queue, tab: Tab) -> Markup {
    let (say, now) = (call.say(), call.asked.at);
    html! {
        div.list data-list=(tab.as_str()) data-cursor=(queue.cursor) data-now=(now.as_micros()) {
            @for event in &queue.events { (row::row(call.site, call.language(), event, now)) }
            p.empty { span.empty-mark aria-hidden="true" { "✓" } (empty(call, tab)) }
        }
        @if queue.events.len() == LIST_MAX {
            p.muted { (say.t("Chỉ hiện 300 sự kiện đầu.", "The first 300 events are shown.")) }
        }
    }
}

fn empty(call: &Call<'_>, tab: Tab) -> &'static str {
    let say = call.say();
    match tab {
        Tab::Open => say.t("Không có sự kiện nào đang chờ.", "No event waits."),
        Tab::Parked => say.t("Không có sự kiện nào đang hoãn.", "No event is parked."),
        Tab::Shelved => {
            say.t("Không có sự kiện nào của nguồn đang tạm tắt.", "No event of a shelved source.")
        }
        Tab::Test => say.t("Không có sự kiện thử nghiệm.", "No event of a box on test."),
        Tab::Closed => say.t("Chưa có sự kiện nào được đóng.", "No event is closed yet."),
    }
}

fn tabs(call: &Call<'_>, present: Tab, counts: Counts) -> Markup {
    let say = call.say();
    let count = |tab| match tab {
        Tab::Open => Some(counts.open),
        Tab::Parked => Some(counts.parked),
        Tab::Shelved => Some(counts.shelved),
        Tab::Test => Some(counts.test),
        Tab::Closed => None,
    };
    html! {
        nav.tabs aria-label=(say.t("Danh sách", "Lists")) {
            @for tab in Tab::ALL {
                a href=(if tab == Tab::Open { "/".to_owned() } else { format!("/?tab={}", tab.as_str()) })
                    aria-current=[(tab == present).then_some("page")] {
                    (say.tab(tab))
                    @if let Some(count) = count(tab) { " " span.count data-count=(tab.as_str()) { (count) } }
                }
            }
        }
    }
}

/// The keys, in a dialogue.
fn help(call: &Call<'_>) -> Markup {
    let say = call.say();
    html! {
        dialog.help data-help aria-label=(say.t("Phím tắt", "Keys")) {
            h2 { (say.t("Phím tắt", "Keys")) }
            dl {
                dt { kbd { "j" } " " kbd { "k" } } dd { (say.t("sự kiện sau, sự kiện trước", "next and previous event")) }
                dt { kbd { "Enter" } } dd { (say.t("mở chi tiết", "open it")) }
                dt { kbd { "t" } } dd { (say.t("nhận xử lý", "take it over")) }
                dt { kbd { "c" } } dd { (say.t("đóng với lý do", "close it with a reason")) }
                dt { kbd { "1" } "–" kbd { "9" } } dd { (say.t("chọn lý do đóng", "choose the reason")) }
                dt { kbd { "Ctrl" } "+" kbd { "Enter" } } dd { (say.t("xác nhận đóng", "confirm")) }
                dt { kbd { "Esc" } } dd { (say.t("đóng bảng", "leave")) }
                dt { kbd { "?" } } dd { (say.t("bảng này", "this table")) }
            }
            form method="dialog" { button { (say.t("Đóng", "Close")) } }
        }
    }
}
