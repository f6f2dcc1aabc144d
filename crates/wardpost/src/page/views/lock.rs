//! The idle lock: the page asks for a PIN while feed and sound go on; and the end of a login.

use axum::http::{StatusCode, header};
use maud::{Markup, html};

use super::login::told;
use super::{card, token};
use crate::page::answer::{Answer, Fault};
use crate::page::call::{Call, login_cookie};
use crate::people::secret;
use crate::storage::By;

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
    let has_pin = user.pin.is_some();
    let body = html! {
        p { (user.full_name) ". " (say.t("Trang khóa này không có âm báo: nhập mã PIN để tiếp tục trực.", "This locked page makes no sound: enter the PIN to go on.")) }
        (told(fault))
        form.stack method="post" action="/unlock" {
            (token(call))
            @if has_pin {
                label { (say.t("Mã PIN", "PIN"))
                    input.code name="pin" type="password" inputmode="numeric" autocomplete="off" required autofocus maxlength="8";
                }
            } @else {
                label { (say.t("Mật khẩu", "Password"))
                    input name="pin" type="password" autocomplete="current-password" required autofocus maxlength="200";
                }
            }
            button.primary { (say.t("Mở khóa", "Unlock")) }
        }
        form method="post" action="/logout" { (token(call)) button.quiet { (say.t("Đăng xuất", "Log out")) } }
    };
    Ok(card(say, call.asked, say.t("Màn hình đang khóa", "The page is locked"), &body))
}

/// Locks the page.
pub(in crate::page) fn lock(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let login = call.login()?.clone();
    call.storage.lock_login(&login, By { who: login.user.name.as_str(), at: call.asked.at })?;
    Ok(Answer::go("/lock"))
}

/// Unlocks the page with the PIN, or the password of an officer without one. Too many failures end the login.
pub(in crate::page) fn unlock(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let login = call.login()?.clone();
    let user = &login.user;
    let hash = user.pin.as_deref().or(user.password.as_deref());
    if secret::fits(call.form.get("pin").unwrap_or_default(), hash) {
        call.storage.unlock_login(&login, call.asked.at)?;
        return Ok(Answer::go("/"));
    }
    call.storage.count_pin_failure(&login, call.asked.at)?;
    if login.pin_failures + 1 >= PIN_FAILURES_MAX {
        tracing::warn!("a login of {} has ended after {PIN_FAILURES_MAX} wrong PINs", user.name);
        call.storage.end_login(&login, By { who: "lock-out", at: call.asked.at })?;
        return Ok(gone(call));
    }
    let say = call.say();
    let page = form(call, say.t("Không đúng.", "That is wrong."))?;
    Ok(Answer::page_with(StatusCode::UNAUTHORIZED, page))
}

/// Ends the login.
pub(in crate::page) fn log_out(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let login = call.login()?.clone();
    call.storage.end_login(&login, By { who: login.user.name.as_str(), at: call.asked.at })?;
    Ok(gone(call))
}

fn gone(call: &Call<'_>) -> Answer {
    Answer::go("/login").with(header::SET_COOKIE, &login_cookie(call.site, ""))
}

/// Notes that the officer is there.
pub(in crate::page) fn active(call: &mut Call<'_>) -> Result<Answer, Fault> {
    Ok(call.done(""))
}
