//! Pages as templates: the frame around all of them, and one file for each.

pub(super) mod act;
pub(super) mod event;
pub(super) mod figures;
pub(super) mod lock;
pub(super) mod login;
pub(super) mod map;
pub(super) mod people;
mod plots;
pub(super) mod queue;
pub(super) mod row;
pub(super) mod shelves;
pub(super) mod shift;

use maud::{DOCTYPE, Markup, html};

use super::call::{Asked, Call};
use crate::events::Outcome;
use crate::people::Role;
use crate::presentation::Language;
use crate::storage::Tab;
use base::event::Severity;

/// Texts of a language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Say(pub Language);

impl Say {
    /// The text of this language.
    pub const fn t(self, vietnamese: &'static str, english: &'static str) -> &'static str {
        self.0.choose(vietnamese, english)
    }

    /// The word for a severity.
    pub const fn severity(self, severity: Severity) -> &'static str {
        match severity {
            Severity::Critical => self.t("Khẩn cấp", "Critical"),
            Severity::Warning => self.t("Quan trọng", "Warning"),
            Severity::Notice => self.t("Lưu ý", "Notice"),
        }
    }

    /// The words for an outcome.
    pub const fn outcome(self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::PatrolSent => self.t("Đã cử lực lượng", "Patrol sent"),
            Outcome::DealtWith => self.t("Đã xử lý", "Dealt with"),
            Outcome::NoAction => self.t("Đúng, không cần xử lý", "True, no action needed"),
            Outcome::Animal => self.t("Động vật", "Animal"),
            Outcome::Rain => self.t("Mưa, sương, côn trùng", "Rain, fog, insects"),
            Outcome::Light => self.t("Ánh đèn, thay đổi ánh sáng", "Lamps, change of light"),
            Outcome::Shadow => self.t("Bóng đổ", "Shadow"),
            Outcome::Parked => self.t("Xe hoặc vật đỗ sẵn", "Parked vehicle or thing"),
            Outcome::WrongPerson => self.t("Người, xe được phép", "Person or vehicle that may be there"),
            Outcome::Other => self.t("Báo sai vì lý do khác", "False for another reason"),
            Outcome::Test => self.t("Kiểm tra hệ thống", "Test of the system"),
            Outcome::Earlier => self.t("Có trước khi dùng trang này", "From before this page"),
        }
    }

    /// The name of a tab.
    pub const fn tab(self, tab: Tab) -> &'static str {
        match tab {
            Tab::Open => self.t("Đang chờ", "Waiting"),
            Tab::Parked => self.t("Hoãn lại", "Parked"),
            Tab::Shelved => self.t("Tạm tắt", "Shelved"),
            Tab::Test => self.t("Thử nghiệm", "On test"),
            Tab::Closed => self.t("Đã đóng", "Closed"),
        }
    }

    /// The word for a role.
    pub const fn role(self, role: Role) -> &'static str {
        match role {
            Role::Officer => self.t("Cán bộ trực", "Duty officer"),
            Role::Commander => self.t("Chỉ huy", "Commander"),
            Role::Administrator => self.t("Quản trị", "Administrator"),
        }
    }
}

/// Name of the language for the `lang` attribute.
const fn code(say: Say) -> &'static str {
    say.t("vi", "en")
}

/// Theme of the pages: the browser's own choice where none is made.
fn theme(asked: &Asked) -> Option<&'static str> {
    ["day", "night"].into_iter().find(|theme| asked.cookie("theme") == Some(theme))
}

/// The beginning of every document.
fn head(title: &str, with_script: bool) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) " · wardpost" }
        link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
        link rel="stylesheet" href="/assets/page.css";
        @if with_script { script type="module" src="/assets/page.js" {} }
    }
}

/// A small page without a login: a form or a sentence on a card.
pub(super) fn card(say: Say, asked: &Asked, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(code(say)) data-theme=[theme(asked)] {
            head { (head(title, false)) }
            body.bare {
                (demonstration(asked))
                main.card {
                    div.brand { (mark()) span { "wardpost" } }
                    h1 { (title) }
                    (body)
                }
                footer.bare-foot { (preferences(say, asked)) }
            }
        }
    }
}

/// A sentence on a card, for a request that is not served.
pub(super) fn plain(say: Say, asked: &Asked, sentence: &str) -> Markup {
    let body = html! {
        p { (sentence) }
        p { a.button href="/" { (say.t("Về hàng đợi", "Back to the queue")) } }
    };
    card(say, asked, say.t("Không thực hiện được", "This did not work"), &body)
}

/// A sentence in the frame of the page.
pub(super) fn message(call: &Call<'_>, sentence: &str) -> Markup {
    let say = call.say();
    let body = html! { div.sheet { p.lead { (sentence) } p { a.button href="/" { (say.t("Về hàng đợi", "Back to the queue")) } } } };
    frame(call, say.t("Thông báo", "Message"), &body)
}

/// Places of the navigation: path, least role, name.
fn places(say: Say) -> Vec<(&'static str, Role, &'static str)> {
    vec![
        ("/", Role::Officer, say.t("Hàng đợi", "Queue")),
        ("/map", Role::Officer, say.t("Sơ đồ", "Map")),
        ("/shelves", Role::Officer, say.t("Tạm tắt", "Shelved")),
        ("/shift", Role::Officer, say.t("Giao ca", "Hand-over")),
        ("/figures", Role::Commander, say.t("Số liệu", "Figures")),
        ("/people", Role::Administrator, say.t("Tài khoản", "People")),
    ]
}

/// The frame of all pages of a login: banners, navigation, state of the connection.
pub(super) fn frame(call: &Call<'_>, title: &str, body: &Markup) -> Markup {
    let say = call.say();
    let role = call.role().unwrap_or(Role::Officer);
    let name = call.login.as_ref().map_or("", |login| login.user.full_name.as_str());
    let time = call.presentation().time_of_day(call.asked.at);
    // A page that cannot be told where to go on begins with what comes next.
    let cursor = call.storage.last_change().ok();
    html! {
        (DOCTYPE)
        html lang=(code(say)) data-theme=[theme(call.asked)] {
            head {
                (head(title, true))
                meta name="form-token" content=(call.form_token());
            }
            body data-path=(call.asked.path) data-cursor=[cursor] data-role=(role) data-name=(call.who()) {
                a.skip href="#main" { (say.t("Đến nội dung chính", "To the main content")) }
                (demonstration(call.asked))
                (banners(say, &time))
                header.top {
                    a.brand href="/" { (mark()) span { "wardpost" } }
                    nav.places aria-label=(say.t("Các trang", "Pages")) {
                        @for (path, least, place) in places(say) {
                            @if role >= least {
                                a href=(path) aria-current=[(call.asked.path == path).then_some("page")] {
                                    (place) " " span.count data-count=(path) hidden {}
                                }
                            }
                        }
                    }
                    div.tools {
                        span.link-state data-link role="status" data-good=(say.t("đã kết nối", "connected")) data-lost=(say.t("mất kết nối", "disconnected"))
                            data-away=(say.t("thiết bị mất kết nối", "boxes away")) { (say.t("đang kết nối", "connecting")) }
                        time.clock data-clock { (time) }
                        a.who href="/account" title=(say.role(role)) { (name) }
                        form method="post" action="/lock" data-lock-now {
                            (token(call))
                            button.quiet title=(say.t("Khóa trang, mở lại bằng mã PIN", "Lock the page; the PIN opens it")) {
                                (say.t("Khóa", "Lock"))
                            }
                        }
                    }
                }
                main #main tabindex="-1" { (body) }
                div.toast data-toast role="status" aria-live="polite" hidden
                    data-failed=(say.t("Chưa gửi được: máy chủ không trả lời. Hãy thử lại.", "Not sent: the server does not answer. Try again.")) {}
                footer.foot { (preferences(say, call.asked)) span { kbd { "?" } " " (say.t("phím tắt", "keys")) } }
                @if let Some(login) = &call.login { (lock::dialogue(call, &login.user)) }
            }
        }
    }
}

/// Banners that the script shows and hides; that of the lost server shows itself where no script does. Their texts are here, so that they are in the page's language.
fn banners(say: Say, time: &str) -> Markup {
    html! {
        div.banners {
            div.banner.bad.starting data-banner="blind" role="alert" {
                strong { (say.t("MẤT KẾT NỐI VỚI MÁY CHỦ từ ", "BLIND since ")) span data-since { (time) } "." }
                " " (say.t("Cảnh báo mới không hiện ra. Hãy báo người quản trị.", "New alerts do not show. Tell the administrator."))
            }
            div.banner.bad data-banner="broker" role="alert" hidden {
                strong { (say.t("MÁY CHỦ MẤT LIÊN LẠC VỚI THIẾT BỊ từ ", "THE SERVER HAS LOST THE BOXES since ")) span data-since {} "." }
                " " (say.t("Không thể nhận cảnh báo nào.", "No alert can arrive."))
            }
            button.banner.mute data-banner="sound" type="button" hidden {
                strong { (say.t("ÂM BÁO ĐANG BỊ CHẶN.", "THE SOUND IS BLOCKED.")) }
                " " (say.t("Bấm vào đây để bật âm báo.", "Press here to switch it on."))
            }
            noscript {
                div.banner.bad { (say.t("Trang này cần JavaScript để báo cảnh báo mới.", "This page needs JavaScript to show new alerts.")) }
            }
        }
    }
}

/// The band of a demonstration, in both languages: nobody takes it for a post.
fn demonstration(asked: &Asked) -> Markup {
    html! {
        @if asked.is_demonstration { div.demonstration role="note" { strong { "Trình diễn / Demonstration" } " · dữ liệu vẽ, không có thật · drawn data, nothing is real" } }
    }
}

/// Hidden field with the form's token.
pub(super) fn token(call: &Call<'_>) -> Markup {
    html! { input type="hidden" name="token" value=(call.form_token()); }
}

/// Switches of language and theme.
fn preferences(say: Say, asked: &Asked) -> Markup {
    html! {
        form.preferences method="post" action="/preference" {
            input type="hidden" name="back" value=(asked.path);
            button.quiet name="lang" value=(say.t("en", "vi")) lang=(say.t("en", "vi")) { (say.t("English", "Tiếng Việt")) }
            button.quiet name="theme" value="day" aria-pressed=(theme(asked) == Some("day")) { (say.t("Nền sáng", "Day")) }
            button.quiet name="theme" value="night" aria-pressed=(theme(asked) == Some("night")) { (say.t("Nền tối", "Night")) }
        }
    }
}

/// The program's mark: an eye in a shield.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" {
            path d="M12 2 4 5v6c0 5 3.4 9.3 8 11 4.6-1.7 8-6 8-11V5z" fill="none" stroke="currentColor" stroke-width="1.8" {}
            path d="M7 11.5c1.4-2.2 3.1-3.3 5-3.3s3.6 1.1 5 3.3c-1.4 2.2-3.1 3.3-5 3.3s-3.6-1.1-5-3.3z" fill="currentColor" {}
        }
    }
}

/// Shape of a severity: a triangle, a diamond, a disc. The word stands beside it.
pub(super) fn shape(severity: Severity) -> Markup {
    html! {
        svg.shape viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            @match severity {
                Severity::Critical => path d="M8 1 15.5 14.5H.5z" fill="currentColor" {},
                Severity::Warning => path d="M8 .5 15.5 8 8 15.5.5 8z" fill="currentColor" {},
                Severity::Notice => circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2.5" {},
            }
        }
    }
}
