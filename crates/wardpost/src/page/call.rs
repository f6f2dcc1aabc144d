//! A request as its handler sees it: officer, fields, language, and a connection to the database.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, header};

use super::Site;
use super::answer::{Answer, Fault};
use super::views::Say;
use crate::arrival::Sender;
use crate::people::{Role, secret};
use crate::presentation::{Language, Presentation};
use crate::storage::{By, CameraOf, Login, Storage};
use base::time::WallTime;

/// Fields of a form or a query.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `a=1&b=2`.
    pub fn read(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The first field of this name, without spaces around it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.trim())
    }

    /// The field of this name, which must be there.
    pub fn need(&self, name: &'static str) -> Result<&str, Fault> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(Fault::Field(name))
    }

    /// The field of this name as another type; `None` where it is missing or empty.
    pub fn parse<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, Fault> {
        let written = self.get(name).filter(|value| !value.is_empty());
        written.map(|value| value.parse().map_err(|_| Fault::Field(name))).transpose()
    }
}

/// Parts of a request that do not need the database.
#[derive(Debug)]
pub(super) struct Asked {
    /// Path.
    pub path: &'static str,
    /// Fields of the query.
    pub query: Fields,
    /// Headers.
    pub headers: HeaderMap,
    /// Address of the client.
    pub address: IpAddr,
    /// Time of the request.
    pub at: WallTime,
    /// The page is a demonstration.
    pub is_demonstration: bool,
}

impl Asked {
    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|one| one.trim().split_once('='));
        cookies.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// True where a person looks at the answer, and not a script.
    pub fn wants_page(&self) -> bool {
        let accept = self.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    }
}

/// A request, with everything that its handler may use.
pub(super) struct Call<'a> {
    /// State that all requests share.
    pub site: &'a Site,
    /// A connection to the database.
    pub storage: &'a mut Storage,
    /// The request.
    pub asked: &'a Asked,
    /// Fields of the form.
    pub form: Fields,
    /// The file of an upload; empty for a form.
    pub body: Vec<u8>,
    /// The login; there is one on every route that asks for a role.
    pub login: Option<Login>,
}

impl Call<'_> {
    /// The officer's login.
    pub fn login(&self) -> Result<&Login, Fault> {
        self.login.as_ref().ok_or(Fault::Anonymous)
    }

    /// Login name of the officer; empty for nobody.
    pub fn who(&self) -> &str {
        self.login.as_ref().map_or("", |login| login.user.name.as_str())
    }

    /// The officer's role.
    pub fn role(&self) -> Option<Role> {
        self.login.as_ref().map(|login| login.user.role)
    }

    /// The officer and the time, for a change.
    pub fn by(&self) -> Result<(String, WallTime), Fault> {
        Ok((self.login()?.user.name.to_string(), self.asked.at))
    }

    /// Language of the answer.
    pub fn language(&self) -> Language {
        let chosen = self.login.as_ref().and_then(|login| login.user.language.as_deref());
        language(self.site, chosen.or_else(|| self.asked.cookie("lang")))
    }

    /// Texts in this language.
    pub fn say(&self) -> Say {
        Say(self.language())
    }

    /// Format of alerts in this language.
    pub fn presentation(&self) -> Presentation {
        self.site.presentation(self.language())
    }

    /// The token that forms of this login carry; empty for nobody.
    pub fn form_token(&self) -> String {
        token(self.site, self.asked).map(secret::form_token).unwrap_or_default()
    }

    /// The answer to a step that is done: a sentence for a script, or the page where the form was.
    pub fn done(&self, text: &str) -> Answer {
        if !self.asked.wants_page() {
            return Answer::text(StatusCode::OK, text);
        }
        let back = self.form.get("back").filter(|back| is_own_path(back));
        Answer::go(back.unwrap_or("/"))
    }

    /// The answer to a step that another has forestalled, or that is not allowed now.
    pub fn refused(&self, text: &str) -> Answer {
        if self.asked.wants_page() {
            return Answer::page_with(StatusCode::CONFLICT, super::views::message(self, text));
        }
        Answer::text(StatusCode::CONFLICT, text)
    }
}

impl<'a> Call<'a> {
    /// The person and the time of a change, borrowed.
    pub fn change(who: &'a (String, WallTime)) -> By<'a> {
        By { who: &who.0, at: who.1 }
    }
}

/// The box that is written as `ward/box`.
pub(super) fn box_of(written: &str) -> Result<Sender, Fault> {
    let wrong = |_| Fault::Field("box");
    let (ward, id) = written.split_once('/').ok_or(Fault::Field("box"))?;
    Ok(Sender { ward: ward.parse().map_err(wrong)?, box_id: id.parse().map_err(wrong)? })
}

/// The camera that is written as `ward/box/camera`.
pub(super) fn camera_of(written: &str) -> Result<CameraOf, Fault> {
    let (sender, camera) = written.rsplit_once('/').ok_or(Fault::Field("camera"))?;
    Ok((box_of(sender)?, camera.parse().map_err(|_| Fault::Field("camera"))?))
}

/// The language with this name, else the post's.
pub(super) fn language(site: &Site, name: Option<&str>) -> Language {
    name.and_then(|name| name.parse().ok()).unwrap_or(site.language)
}

/// The login's token in the request's cookie.
pub(super) fn token<'a>(site: &Site, asked: &'a Asked) -> Option<&'a str> {
    asked.cookie(cookie_name(site))
}

/// Name of the login's cookie; over HTTPS with the prefix that binds it to this host.
pub(super) const fn cookie_name(site: &Site) -> &'static str {
    if site.settings.identity.is_some() { "__Host-wardpost" } else { "wardpost" }
}

/// A cookie of the login; an empty token removes it.
pub(super) fn login_cookie(site: &Site, token: &str) -> String {
    let (name, seconds) = (cookie_name(site), site.settings.login_for.as_secs());
    let age = if token.is_empty() { 0 } else { seconds };
    let secure = if site.is_https() { "; Secure" } else { "" };
    format!("{name}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

/// True for a path of this server: a browser cannot read it as another host's.
fn is_own_path(path: &str) -> bool {
    let path_only = path.split(['?', '#']).next().unwrap_or_default();
    super::routes::TABLE.iter().any(|route| route.path == path_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_missing_ones_named() {
        let fields = Fields::read("a=1&b=%C4%90%C3%AAm+nay&b=2&c=%20".as_bytes());
        assert_eq!((fields.get("a"), fields.get("b"), fields.get("d")), (Some("1"), Some("Đêm nay"), None));
        assert!(matches!(fields.need("c"), Err(Fault::Field("c"))));
        assert_eq!(fields.parse::<u64>("a").unwrap(), Some(1));
        assert!(fields.parse::<u64>("b").is_err());
    }

    #[test]
    fn a_page_to_go_back_to_is_one_of_this_server() {
        assert!(is_own_path("/") && is_own_path("/login?a=b"));
        for foreign in ["//evil.example/", "https://evil.example/", "/\\evil", "", "/none"] {
            assert!(!is_own_path(foreign), "{foreign}");
        }
    }
}
