//! An event as a row of a list. The feed sends the same rows.

use maud::{Markup, html};

use super::{Say, shape};
use crate::events::State;
use crate::page::Site;
use crate::page::feed::is_for_commanders;
use crate::presentation::{Language, Presentation, printable};
use crate::storage::{StoredEvent, Tab};
use base::event::Severity;
use base::time::WallTime;

/// Order of severities, the most severe highest.
pub(in crate::page) const fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Notice => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    }
}

/// The row of an event at a time.
pub(in crate::page) fn row(site: &Site, language: Language, event: &StoredEvent, now: WallTime) -> Markup {
    let (say, words) = (Say(language), site.presentation(language));
    let due = event.due_at(site.targets);
    let since = event.state.since().min(event.span.first_at);
    let thumbnail = event.lead.as_ref().and_then(|lead| lead.thumbnail);
    html! {
        article.event tabindex="-1" data-event=(event.number) data-rank=(rank(event.severity))
            data-first=(event.span.first_at.as_micros()) data-state=(event.state.as_str())
            data-severity=(event.severity.as_str()) data-tab=(event.tab.as_str())
            data-source=(format!("{}/{}", event.source.sender, event.source.camera)) data-rule=(event.source.rule) {
            div.sev { (shape(event.severity)) span { (say.severity(event.severity)) } }
            a.thumb href=(format!("/event?id={}", event.number)) tabindex="-1" aria-hidden="true" {
                @if let Some(number) = thumbnail {
                    img src=(format!("/picture?alert={number}")) alt="" loading="lazy" width="128" height="72";
                } @else { span.none { (say.t("chưa có ảnh", "no picture")) } }
            }
            div.told {
                h3 { a href=(format!("/event?id={}", event.number)) { (printable(&event.names.camera)) } }
                p.rule { (rule(&words, event)) (subjects(&words, event)) }
                p.why { (why(&words, event)) }
                p.meta {
                    a href=(format!("/?box={}", event.source.sender)) { (event.source.sender.box_id) } " · "
                    time { (words.time(event.span.first_at)) }
                    @if event.span.alerts > 1 {
                        " · " strong { (event.span.alerts) " " (say.t("cảnh báo", "alerts")) }
                        " " (say.t("đến", "until")) " " (words.time_of_day(event.span.last_at))
                    }
                }
            }
            div.state {
                @if event.tab != Tab::Closed {
                    span.age data-since=(since.as_micros()) data-due=[due.map(WallTime::as_micros)] {
                        (words.span(std::time::Duration::from_secs(now.since(since).as_secs())))
                    }
                }
                span.overdue hidden[!event.is_overdue(site.targets, now)] { "! " (say.t("quá hạn", "overdue")) }
                @if is_for_commanders(event.level) && matches!(event.state, State::New { .. }) {
                    span.overdue { "▲ " (say.t("đã báo chỉ huy", "commander told")) }
                }
                (chip(say, &words, &event.state))
            }
            div.acts {
                @if matches!(event.state, State::New { .. }) && event.tab != Tab::Closed {
                    button.primary data-do="take" type="button" { (say.t("Nhận", "Take")) kbd { "t" } }
                }
                @if event.tab != Tab::Closed {
                    button data-do="close" type="button" { (say.t("Đóng", "Close")) kbd { "c" } }
                }
            }
        }
    }
}

/// Name and kind of the rule.
pub(super) fn rule(words: &Presentation, event: &StoredEvent) -> String {
    event.lead.as_ref().map_or_else(|| printable(&event.names.rule), |lead| words.rule(&lead.alert))
}

/// The subjects behind the rule's name.
pub(super) fn subjects(words: &Presentation, event: &StoredEvent) -> String {
    let subjects = event.lead.as_ref().map(|lead| words.subjects(&lead.alert)).unwrap_or_default();
    if subjects.is_empty() { subjects } else { format!(" · {subjects}") }
}

/// The reason, with its numbers.
pub(super) fn why(words: &Presentation, event: &StoredEvent) -> String {
    event.lead.as_ref().map(|lead| words.reason(&lead.alert)).unwrap_or_default()
}

/// The state as a mark with its word.
pub(super) fn chip(say: Say, words: &Presentation, state: &State) -> Markup {
    let at = words.time_of_day(state.since());
    html! {
        @match state {
            State::New { .. } => span.chip.new { "● " (say.t("mới", "new")) },
            State::Taken { by, .. } => span.chip.taken { "◐ " (by) " " (say.t("nhận lúc", "since")) " " (at) },
            State::Parked { by, until, .. } => span.chip.parked { "⏸ " (by) ", " (say.t("đến", "until")) " " (words.time_of_day(*until)) },
            State::Closed { by, outcome, .. } => span.chip.closed {
                "✓ " (say.outcome(*outcome)) @if let Some(by) = by { " · " (by) } " · " (at)
            },
        }
    }
}
