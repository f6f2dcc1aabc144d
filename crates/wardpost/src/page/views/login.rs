//! Login, the first administrator, a new password by one-time code, and the switches of language and theme.

use std::time::Duration;

use axum::http::{StatusCode, header};
use maud::{Markup, html};

use super::{Say, card};
use crate::page::answer::{Answer, Fault};
use crate::page::call::{Call, login_cookie};
use crate::people::lockout::{ADDRESS_FAILURES_MAX, NAME_FAILURES_MAX};
use crate::people::{Role, UserName, full_name, secret};
use crate::storage::{By, Changed, NewUser, User};

/// Time for which the choice of language and theme is kept by the browser.
const CHOICE_FOR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The login's form; that of the first administrator while there is no account.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    if call.login.is_some() {
        return Ok(Answer::go("/"));
    }
    if !call.storage.has_users()? {
        return Ok(Answer::go("/begin"));
    }
    Ok(Answer::page(form(call, "", "")))
}

fn form(call: &Call<'_>, name: &str, fault: &str) -> Markup {
    let say = call.say();
    let body = html! {
        (told(fault))
        form.stack method="post" action="/login" {
            label { (say.t("Tên đăng nhập", "Login name"))
                input name="name" value=(name) autocomplete="username" autocapitalize="none" spellcheck="false"
                    required autofocus maxlength="32";
            }
            label { (say.t("Mật khẩu", "Password"))
                input name="password" type="password" autocomplete="current-password" required maxlength="200";
            }
            button.primary { (say.t("Đăng nhập", "Log in")) }
        }
        p.small { a href="/begin" { (say.t("Tôi có mã dùng một lần", "I have a one-time code")) } }
    };
    card(say, call.asked, say.t("Đăng nhập", "Log in"), &body)
}

/// A fault above a form.
pub(super) fn told(fault: &str) -> Markup {
    html! { @if !fault.is_empty() { p.fault role="alert" { (fault) } } }
}

/// Logs in with name and password.
pub(in crate::page) fn log_in(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let written = call.form.need("name")?.to_owned();
    let password = call.form.get("password").unwrap_or_default().to_owned();
    let say = call.say();
    let subjects = subjects(call, &written);
    if let Some(answer) = locked_out(call, &subjects)? {
        return Ok(answer);
    }
    let user = known(call, &written)?;
    let hash = user.as_ref().and_then(|user| user.password.as_deref());
    if !secret::fits(&password, hash) {
        count_failure(call, &subjects)?;
        let fault = say.t("Tên đăng nhập hoặc mật khẩu không đúng.", "The name or the password is wrong.");
        return Ok(Answer::page_with(StatusCode::UNAUTHORIZED, form(call, &written, fault)));
    }
    let user = user.ok_or(Fault::Anonymous)?;
    call.storage.forget_failures([&subjects.0, &subjects.1])?;
    begin_login(call, &user.name)
}

/// The account that a person names; `None` where no account can have the name.
fn known(call: &Call<'_>, written: &str) -> Result<Option<User>, Fault> {
    let name = written.parse::<UserName>().ok();
    Ok(name.map(|name| call.storage.user(&name)).transpose()?.flatten())
}

/// Name and address, whose failures are counted.
fn subjects(call: &Call<'_>, written: &str) -> (String, String) {
    let name: String = written.chars().take(32).collect();
    (format!("name {}", name.to_ascii_lowercase()), format!("address {}", call.asked.address))
}

/// The answer while a name or an address is locked.
fn locked_out(call: &mut Call<'_>, subjects: &(String, String)) -> Result<Option<Answer>, Fault> {
    let say = call.say();
    for (subject, max) in [(&subjects.0, NAME_FAILURES_MAX), (&subjects.1, ADDRESS_FAILURES_MAX)] {
        let failures = call.storage.failures(subject)?;
        let Some(until) = failures.and_then(|failures| failures.locked_until(max, call.asked.at)) else {
            continue;
        };
        let minutes = until.since(call.asked.at).as_secs().div_ceil(60);
        let body = html! {
            p.fault role="alert" { (say.t("Sai quá nhiều lần. Thử lại sau ", "Too many failures. Try again in ")) (minutes) (say.t(" phút.", " min.")) }
            p { a.button href="/login" { (say.t("Về trang đăng nhập", "Back to the login")) } }
        };
        let page = card(say, call.asked, say.t("Tạm khóa", "Locked"), &body);
        return Ok(Some(Answer::page_with(StatusCode::TOO_MANY_REQUESTS, page)));
    }
    Ok(None)
}

fn count_failure(call: &mut Call<'_>, subjects: &(String, String)) -> Result<(), Fault> {
    let address = call.asked.address.to_string();
    tracing::warn!("a login from {address} failed");
    call.storage.count_failure([&subjects.0, &subjects.1], By { who: &address, at: call.asked.at })?;
    Ok(())
}

fn begin_login(call: &mut Call<'_>, name: &UserName) -> Result<Answer, Fault> {
    let token = secret::token();
    let address = call.asked.address.to_string();
    call.storage.begin_login(&secret::digest(&token), name, &address, call.asked.at)?;
    Ok(Answer::go("/").with(header::SET_COOKIE, &login_cookie(call.site, &token)))
}

/// The form for a one-time code.
pub(in crate::page) fn begin_page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    Ok(Answer::page(begin_form(call, "")?))
}

fn begin_form(call: &Call<'_>, fault: &str) -> Result<Markup, Fault> {
    let say = call.say();
    let is_first = !call.storage.has_users()?;
    let title = if is_first {
        say.t("Tài khoản quản trị đầu tiên", "The first administrator")
    } else {
        say.t("Dùng mã một lần", "One-time code")
    };
    let body = html! {
        (told(fault))
        @if is_first {
            p { (say.t("Mã dùng một lần nằm trong nhật ký của máy chủ (", "The one-time code is in the server's log (")) code { "journalctl -u wardpost" } ")." }
        }
        form.stack method="post" action="/begin" {
            label { (say.t("Mã dùng một lần", "One-time code"))
                input.code name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus maxlength="40";
            }
            label { (say.t("Tên đăng nhập", "Login name"))
                input name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="32";
            }
            @if is_first {
                label { (say.t("Họ và tên", "Full name")) input name="full_name" autocomplete="name" required maxlength="64"; }
            }
            label { (say.t("Mật khẩu mới (ít nhất 10 ký tự)", "New password (10 characters or more)"))
                input name="password" type="password" autocomplete="new-password" required minlength="10" maxlength="200";
            }
            button.primary { (say.t("Tạo mật khẩu và đăng nhập", "Set the password and log in")) }
        }
    };
    Ok(card(say, call.asked, title, &body))
}

/// Exchanges a one-time code for a password: of the first administrator, or of an account that has a code.
pub(in crate::page) fn begin(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let written = call.form.need("name")?.to_owned();
    let password = call.form.get("password").unwrap_or_default().to_owned();
    let digest = secret::digest(&secret::plain_code(call.form.need("code")?));
    let say = call.say();
    let subjects = subjects(call, &written);
    if let Some(answer) = locked_out(call, &subjects)? {
        return Ok(answer);
    }
    let Ok(name) = written.parse::<UserName>() else {
        return again(
            call,
            say.t(
                "Tên đăng nhập: 1–32 ký tự a–z, 0–9, bắt đầu bằng chữ cái.",
                "Login name: 1 to 32 of a-z and 0-9, a letter first.",
            ),
        );
    };
    if secret::checked_password(&password, &name).is_err() {
        return again(
            call,
            say.t(
                "Mật khẩu cần ít nhất 10 ký tự và khác tên đăng nhập.",
                "The password needs 10 characters or more, and is not the login name.",
            ),
        );
    }
    let done = if call.storage.has_users()? {
        use_code(call, &name, &digest, &password)?
    } else {
        make_first(call, &name, &digest, &password)?
    };
    match done {
        Used::Yes => begin_login(call, &name),
        Used::NoName => again(call, say.t("Hãy nhập họ và tên.", "Enter the full name.")),
        Used::No => {
            count_failure(call, &subjects)?;
            again(
                call,
                say.t(
                    "Mã hoặc tên đăng nhập không đúng, hoặc mã đã hết hạn.",
                    "The code or the name is wrong, or the code has run out.",
                ),
            )
        }
    }
}

/// Outcome of a one-time code.
enum Used {
    Yes,
    No,
    NoName,
}

fn again(call: &Call<'_>, fault: &str) -> Result<Answer, Fault> {
    Ok(Answer::page_with(StatusCode::UNPROCESSABLE_ENTITY, begin_form(call, fault)?))
}

fn make_first(call: &mut Call<'_>, name: &UserName, digest: &str, password: &str) -> Result<Used, Fault> {
    let expected = call.site.first_code.lock().clone();
    if !expected.is_some_and(|expected| secret::is_same(&expected, digest)) {
        return Ok(Used::No);
    }
    let Ok(full_name) = full_name(call.form.get("full_name").unwrap_or_default()) else {
        return Ok(Used::NoName);
    };
    let hash = secret::hash(password);
    let new =
        NewUser { name, full_name: &full_name, role: Role::Administrator, password: Some(&hash), code: None };
    let made = call.storage.add_first_user(&new, By { who: "one-time code", at: call.asked.at })?;
    if made != Changed::Done {
        return Ok(Used::No);
    }
    *call.site.first_code.lock() = None;
    tracing::info!("the first administrator of the page is {name}");
    Ok(Used::Yes)
}

fn use_code(call: &mut Call<'_>, name: &UserName, digest: &str, password: &str) -> Result<Used, Fault> {
    let code = call.storage.user(name)?.and_then(|user| user.code);
    let is_right = code.is_some_and(|(code, ends)| secret::is_same(&code, digest) && call.asked.at < ends);
    if !is_right {
        return Ok(Used::No);
    }
    let by = By { who: "one-time code", at: call.asked.at };
    call.storage.set_password(name, &secret::hash(password), by)?;
    Ok(Used::Yes)
}

/// Sets language and theme: in the browser, and the language of a login in its account, too.
pub(in crate::page) fn preference(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let mut answer = call.done("");
    let secure = if call.site.is_https() { "; Secure" } else { "" };
    for (name, allowed) in [("lang", ["vi", "en"]), ("theme", ["day", "night"])] {
        let Some(value) = allowed.into_iter().find(|value| call.form.get(name) == Some(value)) else {
            continue;
        };
        let age = CHOICE_FOR.as_secs();
        let cookie = format!("{name}={value}; Path=/; Max-Age={age}; SameSite=Strict{secure}");
        answer = answer.with(header::SET_COOKIE, &cookie);
        if let ("lang", Some(login)) = (name, &call.login) {
            call.storage.set_language(&login.user.name, value)?;
        }
    }
    Ok(answer)
}

impl Say {
    /// The sentence for a new one-time code.
    pub const fn code_is(self) -> &'static str {
        self.t("Mã dùng một lần (chỉ hiện một lần): ", "One-time code (shown only now): ")
    }
}
