//! The lock: the page shows nothing and asks for a PIN, while its script keeps feed and sound going; and the end of a login.
//! Without a script the same form is a sheet of its own.

use axum::http::{StatusCode, header};
use maud::{Markup, html};

use super::login::told;
use super::{Say, frame, token};
use crate::page::answer::{Answer, Fault};
use crate::page::call::{Call, login_cookie};
use crate::people::secret;
use crate::storage::{By, User};

/// Wrong PINs in a row that end a login.
const PIN_FAILURES_MAX: u32 = 5;

/// The form that asks for the PIN.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    if !call.login()?.is_locked {
        return Ok(Answer::go("/"));
    }
    Ok(Answer::page(form(call, "")?))
}

fn form(call: &Call<'_>, fault: &str) -> Result<Markup, Fault> {
    let (say, user) = (call.say(), &call.login()?.user);
    let body = html! {
        div.sheet.narrow {
            h1 { (title(say)) }
            p { (user.full_name) }
            (told(fault))
            form.stack method="post" action="/unlock" { (fields(call, user)) }
            (leaving(call))
        }
    };
    Ok(frame(call, title(say), &body))
}

/// The same as a dialogue of every page, which the script opens over an empty page.
pub(super) fn dialogue(call: &Call<'_>, user: &User) -> Markup {
    let say = call.say();
    let count = |name: &str, words: &str| html! { (words) " " span.count data-count=(name) { "–" } };
    html! {
        dialog.lock data-lock aria-label=(title(say))
            data-failed=(say.t("Máy chủ không trả lời. Hãy thử lại.", "The server does not answer. Try again.")) {
            h2 { (title(say)) }
            p { (user.full_name) ". " (say.t("Âm báo vẫn kêu khi có cảnh báo mới.", "New alerts still sound.")) }
            p.counts {
                (count("open", say.t("Đang chờ", "Waiting"))) " · " (count("parked", say.t("Hoãn lại", "Parked")))
                " · " (count("shelved", say.t("Tạm tắt", "Shelved")))
            }
            p.fault role="alert" data-fault hidden {}
            form.stack method="post" action="/unlock" data-unlock { (fields(call, user)) }
            (leaving(call))
        }
    }
}

const fn title(say: Say) -> &'static str {
    say.t("Màn hình đang khóa", "The page is locked")
}

/// The field for the PIN, or for the password of an officer without one.
fn fields(call: &Call<'_>, user: &User) -> Markup {
    let say = call.say();
    html! {
        (token(call))
        @if user.pin.is_some() {
            label { (say.t("Mã PIN", "PIN"))
                input.code name="pin" type="password" inputmode="numeric" autocomplete="off" required autofocus maxlength="8";
            }
        } @else {
            label { (say.t("Mật khẩu, hoặc mã PIN nếu vừa đặt", "Password, or the PIN if you have just set one"))
                input name="pin" type="password" autocomplete="current-password" required autofocus maxlength="200";
            }
        }
        button.primary { (say.t("Mở khóa", "Unlock")) }
    }
}

/// The way out for another officer.
fn leaving(call: &Call<'_>) -> Markup {
    html! { form method="post" action="/logout" { (token(call)) button.quiet { (call.say().t("Đăng xuất", "Log out")) } } }
}

/// Locks the page.
pub(in crate::page) fn lock(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let login = call.login()?.clone();
    call.storage.lock_login(&login, By { who: login.user.name.as_str(), at: call.asked.at })?;
    call.site.hub.nudge();
    Ok(if call.asked.wants_page() { Answer::go("/lock") } else { call.done("") })
}

/// Unlocks the page with the PIN, or the password of an officer without one. Too many failures end the login.
pub(in crate::page) fn unlock(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let login = call.login()?.clone();
    let user = &login.user;
    let hash = user.pin.as_deref().or(user.password.as_deref());
    if secret::fits(call.form.get("pin").unwrap_or_default(), hash) {
        call.storage.unlock_login(&login, call.asked.at)?;
        call.site.hub.nudge();
        return Ok(call.done(""));
    }
    call.storage.count_pin_failure(&login, call.asked.at)?;
    if login.pin_failures + 1 >= PIN_FAILURES_MAX {
        tracing::warn!("a login of {} has ended after {PIN_FAILURES_MAX} wrong PINs", user.name);
        call.storage.end_login(&login, By { who: "lock-out", at: call.asked.at })?;
        return Ok(gone(call));
    }
    let fault = call.say().t("Không đúng. Hãy nhập lại.", "That is wrong. Try again.");
    if !call.asked.wants_page() {
        return Ok(Answer::text(StatusCode::UNAUTHORIZED, fault));
    }
    Ok(Answer::page_with(StatusCode::UNAUTHORIZED, form(call, fault)?))
}

/// Ends the login.
pub(in crate::page) fn log_out(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let login = call.login()?.clone();
    call.storage.end_login(&login, By { who: login.user.name.as_str(), at: call.asked.at })?;
    Ok(gone(call))
}

fn gone(call: &Call<'_>) -> Answer {
    call.site.hub.nudge();
    Answer::go("/login").with(header::SET_COOKIE, &login_cookie(call.site, ""))
}

/// Notes that the officer is there.
pub(in crate::page) fn active(call: &mut Call<'_>) -> Result<Answer, Fault> {
    Ok(call.done(""))
}
