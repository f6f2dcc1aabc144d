//! Decisions about an event: take, release, hand over, park, close. The database decides who is first.

use std::time::Duration;

use super::Say;
use crate::events::{Action, Authority, Decided, Officer, Outcome, Refusal, Taken, Who};
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::people::Role;

/// The officer as the author of decisions.
pub(super) fn author(call: &Call<'_>) -> Result<(Officer, Authority), Fault> {
    let user = &call.login()?.user;
    let authority = if user.role >= Role::Commander { Authority::Commander } else { Authority::Officer };
    Ok((user.name.as_str().parse().map_err(|_| Fault::Field("name"))?, authority))
}

fn id(call: &Call<'_>) -> Result<u64, Fault> {
    call.form.parse("id")?.ok_or(Fault::Field("id"))
}

fn decide(call: &mut Call<'_>, action: &Action, done: (&'static str, &'static str)) -> Result<Answer, Fault> {
    let (officer, authority) = author(call)?;
    let event = id(call)?;
    let decided = call.storage.decide(event, action, &Who::Person(officer, authority), call.asked.at)?;
    match decided {
        Decided::Done(_) => Ok(call.done(call.say().t(done.0, done.1))),
        Decided::Refused(refusal) => refused(call, &refusal),
    }
}

/// The answer to a decision that is not accepted.
fn refused(call: &Call<'_>, refusal: &Refusal) -> Result<Answer, Fault> {
    let (say, words) = (call.say(), call.presentation());
    let text = match refusal {
        Refusal::Unknown => return Err(Fault::Nothing),
        Refusal::TakenBy { by, at } => lost(say, by, &words.time_of_day(*at)),
        Refusal::Closed { by, at, outcome } => {
            let by = by.as_ref().map_or(say.t("hệ thống", "the post"), |by| by.as_str());
            let (at, outcome) = (words.time_of_day(*at), say.outcome(*outcome));
            match say.0 {
                crate::presentation::Language::Vietnamese => {
                    format!("{by} đã đóng sự kiện này lúc {at}: {outcome}.")
                }
                crate::presentation::Language::English => {
                    format!("{by} closed this event at {at}: {outcome}.")
                }
            }
        }
        Refusal::NotTaken => say.t("Sự kiện này chưa có ai nhận.", "Nobody has this event.").to_owned(),
        Refusal::NotParked => say.t("Sự kiện này không bị hoãn.", "This event is not parked.").to_owned(),
        Refusal::Until => {
            say.t("Chỉ hoãn được tối đa 12 giờ.", "An event is parked for 12 hours at most.").to_owned()
        }
        Refusal::NotAllowed => say
            .t("Bạn không thể làm việc này với sự kiện này.", "You cannot do this with this event.")
            .to_owned(),
    };
    Ok(call.refused(&text))
}

/// The sentence for the one of two who was later.
fn lost(say: Say, by: &Officer, at: &str) -> String {
    match say.0 {
        crate::presentation::Language::Vietnamese => format!("{by} đã nhận sự kiện này lúc {at}."),
        crate::presentation::Language::English => format!("{by} has taken this event at {at}."),
    }
}

/// Takes an event over: of two officers exactly one wins, and the other is told by whom.
pub(in crate::page) fn take(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (officer, authority) = author(call)?;
    let event = id(call)?;
    match call.storage.take_over(event, &Who::Person(officer, authority), call.asked.at)? {
        Taken::Won => Ok(call.done(call.say().t("Bạn đã nhận sự kiện.", "The event is yours."))),
        Taken::Lost { by, at } => refused(call, &Refusal::TakenBy { by, at }),
        Taken::Refused(refusal) => refused(call, &refusal),
    }
}

/// Gives an event back to all.
pub(in crate::page) fn release(call: &mut Call<'_>) -> Result<Answer, Fault> {
    decide(call, &Action::Release, ("Đã trả lại hàng đợi.", "It is back in the queue."))
}

/// Hands an event to a colleague who has an account.
pub(in crate::page) fn hand(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let name = call.form.need("to")?.parse().map_err(|_| Fault::Field("to"))?;
    let user = call.storage.user(&name)?.ok_or(Fault::Field("to"))?;
    let to = user.name.as_str().parse().map_err(|_| Fault::Field("to"))?;
    decide(call, &Action::HandOver { to }, ("Đã giao sự kiện.", "It is handed over."))
}

/// Puts an event off.
pub(in crate::page) fn park(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let minutes: u64 = call.form.parse("minutes")?.ok_or(Fault::Field("minutes"))?;
    let until = call.asked.at + Duration::from_secs(minutes.min(24 * 60) * 60);
    decide(call, &Action::Park { until }, ("Đã hoãn sự kiện.", "It is parked."))
}

/// Ends a parking.
pub(in crate::page) fn unpark(call: &mut Call<'_>) -> Result<Answer, Fault> {
    decide(call, &Action::Unpark, ("Đã đưa lại hàng đợi.", "It is back in the queue."))
}

/// Closes an event with an outcome and a note.
pub(in crate::page) fn close(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let outcome = Outcome::of(call.form.need("outcome")?).ok_or(Fault::Field("outcome"))?;
    let note = call.form.get("note").unwrap_or_default().parse().map_err(|_| Fault::Field("note"))?;
    decide(call, &Action::Close { outcome, note }, ("Đã đóng sự kiện.", "The event is closed."))
}

impl Say {
    /// The words for an action of the log.
    pub fn action(self, action: &str) -> String {
        match action {
            "take" => self.t("nhận xử lý", "took it over"),
            "release" => self.t("trả lại hàng đợi", "released it"),
            "hand-over" => self.t("giao cho", "handed it to"),
            "return" => {
                self.t("tự trả lại hàng đợi vì không có thao tác", "returned it, since nothing was done")
            }
            "park" => self.t("hoãn lại", "parked it"),
            "unpark" => self.t("đưa lại hàng đợi", "brought it back"),
            "close" => self.t("đóng", "closed it"),
            "escalate" => self.t("báo cấp tiếp theo", "told the next level"),
            "hook" => self.t("gọi kênh báo ngoài", "called the hook"),
            other => return other.to_owned(),
        }
        .to_owned()
    }
}
