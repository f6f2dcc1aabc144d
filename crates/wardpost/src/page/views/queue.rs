//! The queue: open events, severity first, then the oldest.

use maud::html;

use super::frame;
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;

/// The queue.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let say = call.say();
    let body = html! { div.sheet { h1 { (say.t("Hàng đợi", "Queue")) } } };
    Ok(Answer::page(frame(call, say.t("Hàng đợi", "Queue"), &body)))
}
