//! The one table of routes: path, method, least role, guard of its forms. The router is made of it, and so is the test that
//! nobody gets past a role.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::{MethodFilter, on};

use super::Site;
use super::answer::{Answer, Fault};
use super::call::Call;
use super::limits::FORM_BYTES_MAX;
use super::plan::PLAN_BYTES_MAX;
use super::{assets, feed, gate, views};
use crate::people::Role;

/// Work of a route: runs on a blocking thread with a connection to the database.
pub(super) type Handler = fn(&mut Call<'_>) -> Result<Answer, Fault>;

/// Method of a route. GET serves HEAD, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes something.
    Post,
}

/// Least right for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// Anybody, without a login.
    Anyone,
    /// Any login, also a locked one.
    Locked,
    /// A login of this role or above that is not locked.
    Role(Role),
}

/// Proof that a form is the page's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Nothing is changed.
    None,
    /// The browser's word that the form is from this site: there is no login yet.
    Origin,
    /// The token of the login, as well.
    Token,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Handler(Handler),
    /// The body is a file, and no form.
    Upload(Handler),
    /// A stream without end.
    Feed,
}

/// A route of the page.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Path; paths have no variable parts.
    pub path: &'static str,
    /// Method.
    pub verb: Verb,
    /// Least right.
    pub least: Least,
    /// Guard of its forms.
    pub guard: Guard,
    /// Maximum length of the body.
    pub(super) body_max: usize,
    /// A request is an act of the officer, which puts off the idle lock.
    pub(super) is_use: bool,
    pub(super) work: Work,
}

const OFFICER: Least = Least::Role(Role::Officer);
const COMMANDER: Least = Least::Role(Role::Commander);
const ADMINISTRATOR: Least = Least::Role(Role::Administrator);

const fn get(path: &'static str, least: Least, handler: Handler) -> Route {
    Route {
        path,
        verb: Verb::Get,
        least,
        guard: Guard::None,
        body_max: 0,
        is_use: true,
        work: Work::Handler(handler),
    }
}

const fn post(path: &'static str, least: Least, handler: Handler) -> Route {
    let guard = if matches!(least, Least::Anyone) { Guard::Origin } else { Guard::Token };
    Route {
        path,
        verb: Verb::Post,
        least,
        guard,
        body_max: FORM_BYTES_MAX,
        is_use: true,
        work: Work::Handler(handler),
    }
}

/// A file that a script sends, with the token of the login in a header.
const fn upload(path: &'static str, least: Least, body_max: usize, handler: Handler) -> Route {
    Route { body_max, work: Work::Upload(handler), ..post(path, least, handler) }
}

/// A reading of a page that may be locked, and no act of the officer.
const fn idle(path: &'static str, handler: Handler) -> Route {
    Route { is_use: false, ..get(path, Least::Locked, handler) }
}

/// Everything that is served.
pub const TABLE: &[Route] = &[
    get("/assets/page.css", Least::Anyone, assets::serve),
    get("/assets/page.js", Least::Anyone, assets::serve),
    get("/assets/feed.js", Least::Anyone, assets::serve),
    get("/assets/lock.js", Least::Anyone, assets::serve),
    get("/assets/sound.js", Least::Anyone, assets::serve),
    get("/assets/map.js", Least::Anyone, assets::serve),
    get("/assets/icon.svg", Least::Anyone, assets::serve),
    get("/login", Least::Anyone, views::login::page),
    post("/login", Least::Anyone, views::login::log_in),
    get("/begin", Least::Anyone, views::login::begin_page),
    post("/begin", Least::Anyone, views::login::begin),
    post("/preference", Least::Anyone, views::login::preference),
    get("/lock", Least::Locked, views::lock::page),
    post("/lock", Least::Locked, views::lock::lock),
    post("/unlock", Least::Locked, views::lock::unlock),
    post("/logout", Least::Locked, views::lock::log_out),
    post("/active", OFFICER, views::lock::active),
    get("/", OFFICER, views::queue::page),
    get("/event", OFFICER, views::event::page),
    get("/event/print", OFFICER, views::event::print),
    get("/picture", OFFICER, views::event::picture),
    get("/still", OFFICER, views::event::still),
    post("/take", OFFICER, views::act::take),
    post("/release", OFFICER, views::act::release),
    post("/hand", OFFICER, views::act::hand),
    post("/park", OFFICER, views::act::park),
    post("/unpark", OFFICER, views::act::unpark),
    post("/close", OFFICER, views::act::close),
    get("/shelves", OFFICER, views::shelves::page),
    post("/shelve", OFFICER, views::shelves::shelve),
    post("/unshelve", OFFICER, views::shelves::unshelve),
    get("/map", OFFICER, views::map::page),
    get("/map/plan", OFFICER, views::map::plan),
    upload("/map/plan", ADMINISTRATOR, PLAN_BYTES_MAX, views::map::set_plan),
    post("/map/plan/remove", ADMINISTRATOR, views::map::remove_plan),
    post("/map/place", ADMINISTRATOR, views::map::place),
    post("/map/unplace", ADMINISTRATOR, views::map::unplace),
    get("/shift", OFFICER, views::shift::page),
    get("/shift/print", OFFICER, views::shift::print),
    post("/shift/begin", OFFICER, views::shift::begin),
    post("/shift/end", OFFICER, views::shift::end),
    get("/figures", COMMANDER, views::figures::page),
    get("/figures.csv", COMMANDER, views::figures::csv),
    idle("/changes", feed::changes),
    Route { work: Work::Feed, ..idle("/feed", feed::changes) },
    get("/account", OFFICER, views::people::account),
    post("/account/pin", OFFICER, views::people::set_pin),
    post("/account/password", OFFICER, views::people::set_password),
    get("/people", ADMINISTRATOR, views::people::page),
    post("/people/add", ADMINISTRATOR, views::people::add),
    post("/people/code", ADMINISTRATOR, views::people::code),
    post("/people/remove", ADMINISTRATOR, views::people::remove),
];

/// The router over the table. What is not in it is answered without a look at the login.
pub(super) fn router(site: &Arc<Site>) -> Router {
    let router = TABLE.iter().fold(Router::new(), |router, route| {
        let filter = match route.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        let site = Arc::clone(site);
        let serve = move |request: Request<Body>| gate::serve(Arc::clone(&site), route, request);
        router.route(route.path, on(filter, serve))
    });
    router
        .fallback(async || Answer::text(StatusCode::NOT_FOUND, "There is no such page.\n").response())
        .method_not_allowed_fallback(async || {
            Answer::text(StatusCode::METHOD_NOT_ALLOWED, "This page has no such method.\n").response()
        })
}
