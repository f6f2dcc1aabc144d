//! One event: pictures, reason, decisions, and the forms for more of these; the same to be printed; and its pictures.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::row::{chip, rule, subjects, why};
use super::{Say, card, frame, shape, token};
use crate::events::{Outcome, State, Truth};
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::people::Role;
use crate::presentation::printable;
use crate::storage::{Decision, NewAccess, StoredAlert, StoredEvent, StoredStill, Tab};
use base::ids::AlertId;
use base::still::StillKind;

/// Decisions that are shown.
const DECISIONS_MAX: usize = 50;
/// Alerts that are listed.
const ALERTS_SHOWN: usize = 20;

/// Everything that is shown of an event.
struct Whole {
    event: StoredEvent,
    alerts: Vec<StoredAlert>,
    stills: Vec<StoredStill>,
    decisions: Vec<Decision>,
}

fn whole(call: &Call<'_>) -> Result<Whole, Fault> {
    let number: u64 = call.asked.query.parse("id")?.ok_or(Fault::Field("id"))?;
    let event = call.storage.event(number)?.ok_or(Fault::Nothing)?;
    let stills = match &event.lead {
        Some(lead) => call.storage.stills(&lead.sender, lead.alert.id)?,
        None => Vec::new(),
    };
    let (alerts, decisions) =
        (call.storage.event_alerts(number)?, call.storage.decisions_about(number, DECISIONS_MAX)?);
    Ok(Whole { event, alerts, stills, decisions })
}

/// The event in the frame; with `part`, alone. A look changes nothing.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let whole = whole(call)?;
    let body = detail(call, &whole);
    if call.asked.query.get("part").is_some() {
        return Ok(Answer::page(body));
    }
    let title = printable(&whole.event.names.camera);
    Ok(Answer::page(frame(call, &title, &html! { div.sheet { (body) } })))
}

fn detail(call: &Call<'_>, whole: &Whole) -> Markup {
    let (say, words, event) = (call.say(), call.presentation(), &whole.event);
    html! {
        article.one data-one=(event.number) data-severity=(event.severity.as_str()) data-state=(event.state.as_str()) {
            header {
                div.sev { (shape(event.severity)) span { (say.severity(event.severity)) } }
                h2 { (printable(&event.names.camera)) }
                p.rule { (rule(&words, event)) (subjects(&words, event)) }
                (chip(say, &words, &event.state))
                button.quiet.leave data-do="leave" type="button" aria-label=(say.t("Đóng chi tiết", "Leave")) { "✕" }
            }
            (strip(call, whole))
            p.why { (why(&words, event)) }
            (forms(call, event))
            (facts(call, event))
            (history(call, whole))
        }
    }
}

/// Its pictures in the order of their times.
fn strip(call: &Call<'_>, whole: &Whole) -> Markup {
    let (say, event) = (call.say(), &whole.event);
    let thumbnail = event.lead.as_ref().and_then(|lead| lead.thumbnail);
    let still = |kind: StillKind| format!("/still?id={}&kind={}", event.number, kind.as_str());
    let has = |kind| whole.stills.iter().any(|still| still.kind == kind);
    html! {
        div.strip {
            @if has(StillKind::Before) {
                figure { img src=(still(StillKind::Before)) alt=(say.t("Ảnh trước sự kiện", "Picture before the event")); figcaption { (say.t("trước đó", "before")) } }
            }
            @if let Some(number) = thumbnail {
                figure.lead { img src=(format!("/picture?alert={number}")) alt=(say.t("Ảnh lúc báo động", "Picture of the alert")); figcaption { (say.t("lúc báo động", "at the alert")) } }
            } @else {
                figure.lead.none { div { (say.t("Thiết bị chưa gửi ảnh.", "The box has sent no picture.")) } }
            }
            @if has(StillKind::Crop) {
                figure { img src=(still(StillKind::Crop)) alt=(say.t("Ảnh cận cảnh đối tượng", "Picture of the subject")); figcaption { (say.t("cận cảnh", "close")) } }
            }
            @if has(StillKind::After) {
                figure { img src=(still(StillKind::After)) alt=(say.t("Ảnh sau sự kiện", "Picture after the event")); figcaption { (say.t("sau đó", "after")) } }
            }
        }
    }
}

/// The forms for decisions about it.
fn forms(call: &Call<'_>, event: &StoredEvent) -> Markup {
    if event.tab == Tab::Closed {
        return html! {};
    }
    let say = call.say();
    let id = event.number;
    let own = event.state.by().is_some_and(|by| by.as_str() == call.who());
    let is_taken = matches!(event.state, State::Taken { .. });
    html! {
        div.decide {
            @if !is_taken || !own {
                form method="post" action="/take" data-act { (hidden(call, id)) button.primary { (say.t("Nhận xử lý", "Take it over")) kbd { "t" } } }
            }
            @if is_taken && own {
                form method="post" action="/release" data-act { (hidden(call, id)) button { (say.t("Trả lại hàng đợi", "Release")) } }
            }
            @if is_taken {
                form.inline method="post" action="/hand" data-act { (hidden(call, id))
                    label { span { (say.t("Giao cho", "Hand to")) } select name="to" required { (colleagues(call)) } }
                    button { (say.t("Giao", "Hand over")) }
                }
            }
            @if matches!(event.state, State::Parked { .. }) {
                form method="post" action="/unpark" data-act { (hidden(call, id)) button { (say.t("Đưa lại hàng đợi", "Back to the queue")) } }
            } @else {
                form.inline method="post" action="/park" data-act { (hidden(call, id))
                    label { span { (say.t("Hoãn", "Park for")) } select name="minutes" {
                        @for minutes in [15, 30, 60, 120, 240] { option value=(minutes) { (minutes) " " (say.t("phút", "min")) } }
                    } }
                    button { (say.t("Hoãn lại", "Park")) }
                }
            }
        }
        (closing(call, id))
        (shelving(call, event))
    }
}

fn hidden(call: &Call<'_>, id: u64) -> Markup {
    html! { (token(call)) input type="hidden" name="id" value=(id); input type="hidden" name="back" value="/"; }
}

fn colleagues(call: &Call<'_>) -> Markup {
    let users = call.storage.users().unwrap_or_default();
    html! {
        @for user in users.iter().filter(|user| user.name.as_str() != call.who()) {
            option value=(user.name) { (user.full_name) }
        }
    }
}

/// The form that closes it: outcomes by number, and a note.
fn closing(call: &Call<'_>, id: u64) -> Markup {
    let say = call.say();
    let groups = [
        (Truth::True, say.t("Báo đúng", "True")),
        (Truth::False, say.t("Báo sai", "False")),
        (Truth::Test, say.t("Thử", "Test")),
    ];
    let numbered: Vec<(usize, Outcome)> = Outcome::choices().enumerate().collect();
    html! {
        details.closing data-closing {
            summary { (say.t("Đóng với lý do", "Close with a reason")) " " kbd { "c" } }
            form method="post" action="/close" data-act {
                (hidden(call, id))
                @for (truth, name) in groups {
                    fieldset {
                        legend { (name) }
                        @for (at, outcome) in numbered.iter().filter(|(_, outcome)| outcome.truth() == truth) {
                            label.choice {
                                input type="radio" name="outcome" value=(outcome.as_str()) data-key=[(*at < 9).then_some(at + 1)] required;
                                span { @if *at < 9 { kbd { (at + 1) } " " } (say.outcome(*outcome)) }
                            }
                        }
                    }
                }
                label { (say.t("Ghi chú (không bắt buộc)", "Note (may be left out)")) textarea name="note" rows="2" maxlength="500" {} }
                button.primary { (say.t("Đóng sự kiện", "Close the event")) }
            }
        }
    }
}

/// The form that shelves its source.
fn shelving(call: &Call<'_>, event: &StoredEvent) -> Markup {
    let say = call.say();
    let is_commander = call.role() >= Some(Role::Commander);
    html! {
        details {
            summary { (say.t("Tạm tắt nguồn này…", "Shelve this source …")) }
            form.stack method="post" action="/shelve" data-act {
                (hidden(call, event.number))
                label { (say.t("Phạm vi", "Scope")) select name="scope" {
                    option value="both" { (say.t("Quy tắc này tại camera này", "This rule at this camera")) }
                    option value="camera" { (say.t("Mọi quy tắc tại camera này", "All rules at this camera")) }
                    option value="rule" { (say.t("Quy tắc này tại mọi camera của thiết bị", "This rule at all cameras of the box")) }
                } }
                label { (say.t("Trong", "For")) select name="hours" {
                    @for hours in [1, 2, 4, 8] { option value=(hours) { (hours) " " (say.t("giờ", "h")) } }
                    @if is_commander { @for days in [1, 3, 7] { option value=(days * 24) { (days) " " (say.t("ngày", "days")) } } }
                } }
                label { (say.t("Lý do", "Reason")) input name="reason" required maxlength="200"; }
                button { (say.t("Tạm tắt", "Shelve")) }
                p.small { (say.t("Cảnh báo vẫn được lưu. Hết hạn sẽ tự bật lại và có âm báo.", "Alerts are stored all the same. It ends by itself, with a sound.")) }
            }
        }
    }
}

fn facts(call: &Call<'_>, event: &StoredEvent) -> Markup {
    let (say, words) = (call.say(), call.presentation());
    let camera = format!("{}/{}", event.source.sender, event.source.camera);
    html! {
        dl.facts {
            dt { (say.t("Camera", "Camera")) } dd { a href=(format!("/?camera={camera}")) { (camera) } }
            dt { (say.t("Cảnh báo đầu", "First alert")) } dd { (words.time(event.span.first_at)) }
            @if event.span.alerts > 1 { dt { (say.t("Cảnh báo cuối", "Last alert")) } dd { (words.time(event.span.last_at)) " · " (event.span.alerts) " " (say.t("cảnh báo", "alerts")) } }
            @if let Some(lead) = &event.lead {
                @if let Some(remark) = words.remark(lead) { dt { (say.t("Lưu ý", "Mind")) } dd { (remark) } }
                dt { (say.t("Mã cảnh báo", "Alert")) } dd { code { (lead.alert.id) } }
                dt { (say.t("Video trên thiết bị", "Footage on the box")) } dd { code { (printable(&lead.alert.clip.reference)) } }
            }
            dt {} dd { a href=(format!("/event/print?id={}", event.number)) target="_blank" { (say.t("Bản in", "To print")) } }
        }
    }
}

fn history(call: &Call<'_>, whole: &Whole) -> Markup {
    let (say, words) = (call.say(), call.presentation());
    html! {
        details open[!whole.decisions.is_empty()] {
            summary { (say.t("Diễn biến", "History")) }
            ol.history {
                @for alert in whole.alerts.iter().take(ALERTS_SHOWN) {
                    li { time { (words.time(alert.received_at)) } " " (say.t("cảnh báo", "alert")) ": " (words.reason(&alert.alert)) }
                }
                @if whole.alerts.len() > ALERTS_SHOWN { li { "… " (whole.alerts.len() - ALERTS_SHOWN) } }
                @for decision in &whole.decisions {
                    li.decision { time { (words.time(decision.at)) } " " strong { (decision.who.as_deref().unwrap_or(say.t("hệ thống", "the post"))) } ": " (say.action(&decision.action)) (noted(call, decision)) }
                }
            }
        }
    }
}

/// Details of a decision that an officer reads.
fn noted(call: &Call<'_>, decision: &Decision) -> String {
    let text = |key: &str| decision.detail.get(key).and_then(serde_json::Value::as_str);
    let outcome = text("outcome").and_then(Outcome::of).map(|outcome| call.say().outcome(outcome));
    let parts = [outcome, text("to"), text("note")];
    let parts: Vec<String> = parts.into_iter().flatten().map(printable).collect();
    if parts.is_empty() { String::new() } else { format!(" – {}", parts.join(" – ")) }
}

/// The event as one page for the file.
pub(in crate::page) fn print(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let whole = whole(call)?;
    let (say, words, event) = (call.say(), call.presentation(), &whole.event);
    let body = html! {
        div.paper {
            p.muted { (event.source.sender.ward) " · " (say.t("in lúc", "printed")) " " (words.time(call.asked.at)) " · " (call.who()) }
            div.sev { (shape(event.severity)) span { (say.severity(event.severity)) } }
            p { strong { (printable(&event.names.camera)) } " – " (rule(&words, event)) (subjects(&words, event)) }
            p { (why(&words, event)) }
            (strip(call, &whole))
            (facts(call, event))
            (history(call, &whole))
        }
    };
    Ok(Answer::page(card(say, call.asked, &format!("{} {}", say.t("Sự kiện", "Event"), event.number), &body)))
}

/// The thumbnail of an alert message; the view is in the access log before its first byte is read.
pub(in crate::page) fn picture(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let number: u64 = call.asked.query.parse("alert")?.ok_or(Fault::Field("alert"))?;
    let access = access(call);
    let jpeg = call.storage.thumbnail(number, &access)?.ok_or(Fault::Nothing)?;
    Ok(image(call.say(), jpeg, &format!("the thumbnail of alert message {number}")))
}

/// A still of an event's alert; logged in the same way.
pub(in crate::page) fn still(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let number: u64 = call.asked.query.parse("id")?.ok_or(Fault::Field("id"))?;
    let kind = call.asked.query.get("kind").and_then(StillKind::of).ok_or(Fault::Field("kind"))?;
    let lead = call.storage.event(number)?.and_then(|event| event.lead).ok_or(Fault::Nothing)?;
    let id: AlertId = lead.alert.id;
    let access = access(call);
    let jpeg = call.storage.still(&lead.sender, id, kind, &access)?.ok_or(Fault::Nothing)?;
    Ok(image(call.say(), jpeg, &format!("the still {} of alert {id}", kind.as_str())))
}

fn access(call: &Call<'_>) -> NewAccess {
    NewAccess { who: call.who().to_owned(), command: "page", at: call.asked.at }
}

/// A JPEG. In place of anything else a drawing leaves that says so: nothing that a box has sent as a picture without being one.
fn image(say: Say, jpeg: Vec<u8>, name: &str) -> Answer {
    if jpeg.starts_with(&[0xff, 0xd8, 0xff]) {
        return Answer::file("image/jpeg", jpeg);
    }
    tracing::warn!("{name} is no JPEG, and is not shown");
    let drawing = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180" width="320" height="180" {
            rect width="320" height="180" fill="#4a5560" {}
            path d="M130 40h60v44h-60zM130 84l60-44" fill="none" stroke="#ffffff" stroke-width="5" {}
            text x="160" y="134" fill="#ffffff" font-family="sans-serif" font-size="34" text-anchor="middle" { (say.t("Ảnh bị hỏng", "Bad picture")) }
        }
    };
    let drawing = Answer::file("image/svg+xml", drawing.into_string().into_bytes());
    Answer { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..drawing }
}
