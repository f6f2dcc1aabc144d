//! The officer's own account, and the administrator's list of all.

use maud::{Markup, html};

use super::login::told;
use super::{frame, token};
use crate::page::answer::{Answer, Fault};
use crate::page::call::Call;
use crate::people::{CODE_FOR, Role, UserName, full_name, secret};
use crate::storage::{Changed, NewUser};

/// Steps of the audit that the page shows.
const STEPS_SHOWN: usize = 100;

/// The officer's own account.
pub(in crate::page) fn account(call: &mut Call<'_>) -> Result<Answer, Fault> {
    Ok(Answer::page(account_page(call, "")?))
}

fn account_page(call: &Call<'_>, fault: &str) -> Result<Markup, Fault> {
    let (say, user) = (call.say(), &call.login()?.user);
    let body = html! {
        div.sheet.narrow {
            h1 { (user.full_name) }
            p.muted { (user.name) " · " (say.role(user.role)) }
            (told(fault))
            h2 { (say.t("Mã PIN mở khóa màn hình", "PIN of the idle lock")) }
            form.stack method="post" action="/account/pin" {
                (token(call))
                label { (say.t("Mã PIN mới, 4–8 chữ số", "New PIN, 4 to 8 digits"))
                    input.code name="pin" type="password" inputmode="numeric" pattern="[0-9]{4,8}" autocomplete="off" required maxlength="8";
                }
                button { (say.t("Lưu mã PIN", "Set the PIN")) }
                @if user.pin.is_some() { p.small { (say.t("Đã đặt mã PIN.", "A PIN is set.")) } }
            }
            h2 { (say.t("Đổi mật khẩu", "Change the password")) }
            form.stack method="post" action="/account/password" {
                (token(call))
                label { (say.t("Mật khẩu hiện tại", "Present password"))
                    input name="old" type="password" autocomplete="current-password" required maxlength="200";
                }
                label { (say.t("Mật khẩu mới (ít nhất 10 ký tự)", "New password (10 characters or more)"))
                    input name="password" type="password" autocomplete="new-password" required minlength="10" maxlength="200";
                }
                button { (say.t("Đổi mật khẩu và đăng nhập lại", "Change it and log in again")) }
            }
            form method="post" action="/logout" { (token(call)) button { (say.t("Đăng xuất", "Log out")) } }
        }
    };
    Ok(frame(call, say.t("Tài khoản của tôi", "My account"), &body))
}

/// Sets the officer's PIN.
pub(in crate::page) fn set_pin(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let name = call.login()?.user.name.clone();
    let Ok(pin) = secret::checked_pin(call.form.need("pin")?) else {
        let fault = say.t(
            "Mã PIN gồm 4–8 chữ số, không giống nhau hết.",
            "A PIN has 4 to 8 digits that are not all the same.",
        );
        return Ok(Answer::page_with(Fault::Field("pin").status(), account_page(call, fault)?));
    };
    call.storage.set_pin(&name, &secret::hash(pin), Call::change(&who))?;
    Ok(Answer::go("/account"))
}

/// Changes the officer's password, which ends all of the officer's logins.
pub(in crate::page) fn set_password(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let user = call.login()?.user.clone();
    if !secret::fits(call.form.get("old").unwrap_or_default(), user.password.as_deref()) {
        let fault = say.t("Mật khẩu hiện tại không đúng.", "The present password is wrong.");
        return Ok(Answer::page_with(Fault::Field("old").status(), account_page(call, fault)?));
    }
    let Ok(password) = secret::checked_password(call.form.get("password").unwrap_or_default(), &user.name)
    else {
        let fault = say.t(
            "Mật khẩu cần ít nhất 10 ký tự và khác tên đăng nhập.",
            "The password needs 10 characters or more, and is not the login name.",
        );
        return Ok(Answer::page_with(Fault::Field("password").status(), account_page(call, fault)?));
    };
    call.storage.set_password(&user.name, &secret::hash(password), Call::change(&who))?;
    Ok(Answer::go("/login"))
}

/// All accounts and the last steps of the audit.
pub(in crate::page) fn page(call: &mut Call<'_>) -> Result<Answer, Fault> {
    Ok(Answer::page(list(call, "", "")?))
}

fn list(call: &Call<'_>, fault: &str, news: &str) -> Result<Markup, Fault> {
    let (say, time) = (call.say(), call.presentation());
    let (users, steps) = (call.storage.users()?, call.storage.audited(STEPS_SHOWN)?);
    let body = html! {
        div.sheet {
            h1 { (say.t("Tài khoản", "People")) }
            (told(fault))
            @if !news.is_empty() { p.news role="status" { (say.code_is()) code { (news) } } }
            div.scroll { table {
                thead { tr {
                    th { (say.t("Tên đăng nhập", "Login name")) } th { (say.t("Họ và tên", "Full name")) }
                    th { (say.t("Quyền", "Role")) } th { (say.t("Tạo lúc", "Made")) } th { (say.t("Trạng thái", "State")) } th {}
                } }
                tbody { @for user in &users { tr {
                    td { (user.name) } td { (user.full_name) } td { (say.role(user.role)) } td.num { (time.time(user.added_at)) }
                    td { @if user.password.is_some() { (say.t("đang dùng", "in use")) } @else { (say.t("chờ dùng mã", "waits for its code")) } }
                    td.acts {
                        form method="post" action="/people/code" { (token(call)) input type="hidden" name="name" value=(user.name); button.small { (say.t("Cấp mã mới", "New code")) } }
                        form method="post" action="/people/remove" { (token(call)) input type="hidden" name="name" value=(user.name); button.small.danger { (say.t("Xóa", "Remove")) } }
                    }
                } } }
            } }
            h2 { (say.t("Thêm tài khoản", "Add an account")) }
            form.row method="post" action="/people/add" {
                (token(call))
                label { (say.t("Tên đăng nhập", "Login name")) input name="name" required maxlength="32" autocapitalize="none" autocomplete="off"; }
                label { (say.t("Họ và tên", "Full name")) input name="full_name" required maxlength="64" autocomplete="off"; }
                label { (say.t("Quyền", "Role")) select name="role" { @for role in Role::ALL { option value=(role) { (say.role(role)) } } } }
                button.primary { (say.t("Tạo và cấp mã", "Make it, with a code")) }
            }
            h2 { (say.t("Nhật ký thao tác", "Audit")) }
            div.scroll { table.log {
                thead { tr { th { "#" } th { (say.t("Thời gian", "Time")) } th { (say.t("Người thực hiện", "By whom")) } th { (say.t("Việc", "Step")) } th { (say.t("Về", "About")) } } }
                tbody { @for step in &steps { tr { td.num { (step.number) } td.num { (time.time(step.at)) } td { (step.who) } td { (step.action) } td { (step.about) } } } }
            } }
        }
    };
    Ok(frame(call, say.t("Tài khoản", "People"), &body))
}

/// Makes an account with a one-time code.
pub(in crate::page) fn add(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let name = call.form.need("name")?.parse::<UserName>();
    let full_name = full_name(call.form.get("full_name").unwrap_or_default());
    let role: Role = call.form.parse("role")?.ok_or(Fault::Field("role"))?;
    let (Ok(name), Ok(full_name)) = (name, full_name) else {
        let fault = say.t(
            "Tên đăng nhập: 1–32 ký tự a–z, 0–9; họ và tên: 1–64 ký tự.",
            "Login name: 1 to 32 of a-z and 0-9; full name: 1 to 64 characters.",
        );
        return Ok(Answer::page_with(Fault::Field("name").status(), list(call, fault, "")?));
    };
    let code = secret::code();
    let digest = secret::digest(&secret::plain_code(&code));
    let new = NewUser {
        name: &name,
        full_name: &full_name,
        role,
        password: None,
        code: Some((&digest, call.asked.at + CODE_FOR)),
    };
    let made = call.storage.add_user(&new, Call::change(&who))?;
    let taken = say.t("Tên đăng nhập này đã có người dùng.", "This login name is taken.");
    answer(call, made, taken, &code)
}

/// Gives an account a new one-time code. Its password stays until the code is used.
pub(in crate::page) fn code(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let name: UserName = call.form.parse("name")?.ok_or(Fault::Field("name"))?;
    let code = secret::code();
    let digest = secret::digest(&secret::plain_code(&code));
    let set = call.storage.set_code(&name, (&digest, call.asked.at + CODE_FOR), Call::change(&who))?;
    answer(call, set, say.t("Không có tài khoản này.", "There is no such account."), &code)
}

/// Removes an account.
pub(in crate::page) fn remove(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let (who, say) = (call.by()?, call.say());
    let name: UserName = call.form.parse("name")?.ok_or(Fault::Field("name"))?;
    let removed = call.storage.remove_user(&name, Call::change(&who))?;
    if name.as_str() == who.0 && removed == Changed::Done {
        return Ok(Answer::go("/login"));
    }
    answer(call, removed, say.t("Không có tài khoản này.", "There is no such account."), "")
}

fn answer(call: &Call<'_>, changed: Changed, no: &str, news: &str) -> Result<Answer, Fault> {
    let last = call.say().t("Phải còn ít nhất một người quản trị.", "One administrator has to stay.");
    let (fault, news) = match changed {
        Changed::Done => ("", news),
        Changed::No => (no, ""),
        Changed::LastAdministrator => (last, ""),
    };
    let page = list(call, fault, news)?;
    Ok(if fault.is_empty() {
        Answer::page(page)
    } else {
        Answer::page_with(axum::http::StatusCode::CONFLICT, page)
    })
}
