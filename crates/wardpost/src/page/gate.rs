//! The one way of every request to its handler: login, role, body, token of the form. Nothing is served past it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::answer::{Answer, Fault};
use super::call::{Asked, Call, Fields, language, token};
use super::limits::BODY_WITHIN;
use super::routes::{Guard, Least, Route, Verb, Work};
use super::views::{self, Say};
use super::{Site, feed};
use crate::people::secret;
use crate::storage::{By, Login, Storage};
use base::clock;
use base::fault::chain;
use base::time::WallTime;

/// Address of the client, as the server puts it into each request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

/// Age of a login's last use from which on a further use is written down.
const USED_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// Serves a request on a route of the table.
pub(super) async fn serve(site: Arc<Site>, route: &'static Route, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let address = parts.extensions.get::<Peer>().map_or([0, 0, 0, 0].into(), |peer| peer.0.ip());
    let query = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
    let asked = Arc::new(Asked {
        path: route.path,
        query,
        headers: parts.headers,
        address,
        at: clock::wall(),
        is_demonstration: site.settings.is_demonstration,
    });
    let answered = answer(&site, route, &asked, body).await;
    answered.unwrap_or_else(|fault| {
        fault.log(route.path);
        refusal(&site, &asked, &fault).response()
    })
}

async fn answer(
    site: &Arc<Site>,
    route: &'static Route,
    asked: &Arc<Asked>,
    body: Body,
) -> Result<Response<Body>, Fault> {
    if route.verb == Verb::Post && is_foreign(&asked.headers) {
        return Err(Fault::Foreign);
    }
    let (for_login, of_login) = (Arc::clone(site), Arc::clone(asked));
    let login = site.pool.run(move |storage| admitted(&for_login, route, &of_login, storage)).await?;
    let bytes = match route.verb {
        Verb::Get => Vec::new(),
        Verb::Post => whole(body, route.body_max).await?,
    };
    let (form, body) = match route.work {
        Work::Upload(_) => (Fields::default(), bytes),
        Work::Handler(_) | Work::Feed => (Fields::read(&bytes), Vec::new()),
    };
    if route.guard == Guard::Token && !has_token(site, asked, &form) {
        return Err(Fault::Foreign);
    }
    match route.work {
        Work::Feed => {
            let chosen = login.as_ref().and_then(|login| login.user.language.as_deref());
            let language = language(site, chosen.or_else(|| asked.cookie("lang")));
            Ok(feed::stream(Arc::clone(site), Arc::clone(asked), language, site.stopped.clone()))
        }
        Work::Handler(handler) | Work::Upload(handler) => {
            let (site_of_work, asked) = (Arc::clone(site), Arc::clone(asked));
            let work = move |storage: &mut Storage| {
                let site = &*site_of_work;
                handler(&mut Call { site, storage, asked: &asked, form, body, login })
            };
            let answer = site.pool.run(work).await?;
            if route.verb == Verb::Post {
                site.wake_feed();
            }
            Ok(answer.response())
        }
    }
}

/// The login of the request, if the route may be served to it.
fn admitted(
    site: &Site,
    route: &Route,
    asked: &Asked,
    storage: &mut Storage,
) -> Result<Option<Login>, Fault> {
    let login = current(site, asked, asked.at, storage)?;
    match (route.least, login) {
        (Least::Anyone, login) => Ok(login),
        (_, None) => Err(Fault::Anonymous),
        (Least::Locked, login) => Ok(login),
        (Least::Role(_), Some(login)) if login.is_locked => Err(Fault::Locked),
        (Least::Role(least), Some(login)) if login.user.role < least => Err(Fault::Forbidden),
        (Least::Role(_), Some(login)) => {
            if route.is_use && asked.at.since(login.used_at) >= USED_EVERY {
                note_use(&login, asked.at, storage);
            }
            Ok(Some(login))
        }
    }
}

/// Notes that the officer is there. A database that takes no writes does not keep an officer from reading.
fn note_use(login: &Login, at: WallTime, storage: &mut Storage) {
    if let Err(error) = storage.use_login(&login.token, at) {
        tracing::warn!("the page could not note that {} is there: {}", login.user.name, chain(&error));
    }
}

/// The login that the cookie names, unless it has run out. One that was not used for long becomes locked.
pub(super) fn current(
    site: &Site,
    asked: &Asked,
    at: WallTime,
    storage: &mut Storage,
) -> Result<Option<Login>, Fault> {
    let Some(token) = token(site, asked).filter(|token| token.len() <= 64) else { return Ok(None) };
    let Some(mut login) = storage.login(&secret::digest(token))? else { return Ok(None) };
    let by = By { who: "idle", at };
    if at.since(login.begun_at) > site.settings.login_for {
        storage.end_login(&login, by)?;
        return Ok(None);
    }
    if !login.is_locked && at.since(login.used_at) > site.settings.lock_after {
        storage.lock_login(&login, by)?;
        login.is_locked = true;
    }
    Ok(Some(login))
}

/// True where the browser says that another site sends the form.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site != "same-origin";
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => false,
        (Some(origin), host) => origin.split_once("://").map(|(_, host)| host) != host,
    }
}

/// True where the form, or the script's header, has the login's token.
fn has_token(site: &Site, asked: &Asked, form: &Fields) -> bool {
    let in_header = asked.headers.get("x-form-token").and_then(|token| token.to_str().ok());
    let given = in_header.or_else(|| form.get("token")).unwrap_or_default();
    token(site, asked).is_some_and(|token| secret::is_same(given, &secret::form_token(token)))
}

async fn whole(body: Body, limit: usize) -> Result<Vec<u8>, Fault> {
    let reading = Limited::new(body, limit).collect();
    match tokio::time::timeout(BODY_WITHIN, reading).await {
        Err(_) => Err(Fault::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::TooLarge),
        Ok(Err(_)) => Err(Fault::TooSlow),
    }
}

/// The answer to a request that is not served: a page for a person, a line for a script.
pub(super) fn refusal(site: &Site, asked: &Asked, fault: &Fault) -> Answer {
    let say = Say(language(site, asked.cookie("lang")));
    let (vietnamese, english) = fault.sentence();
    let sentence = say.t(vietnamese, english);
    let answer = match fault {
        _ if !asked.wants_page() => Answer::text(fault.status(), sentence),
        Fault::Anonymous => return Answer::go("/login"),
        Fault::Locked => return Answer::go("/lock"),
        _ => Answer::page_with(fault.status(), views::plain(say, asked, sentence)),
    };
    if answer.status.is_server_error() { answer.with(header::RETRY_AFTER, "5") } else { answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_other_sites_are_foreign() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        for (is, pairs) in [
            (false, &[] as &[_]),
            (false, &[("sec-fetch-site", "same-origin")]),
            (true, &[("sec-fetch-site", "cross-site")]),
            (true, &[("sec-fetch-site", "none")]),
            (false, &[("origin", "http://127.0.0.1:8460"), ("host", "127.0.0.1:8460")]),
            (true, &[("origin", "http://evil.example"), ("host", "127.0.0.1:8460")]),
            (true, &[("origin", "null"), ("host", "127.0.0.1:8460")]),
            (true, &[("origin", "http://127.0.0.1:8460")]),
        ] {
            assert_eq!(is_foreign(&headers(pairs)), is, "{pairs:?}");
        }
    }
}
