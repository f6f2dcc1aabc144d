//! Every route of the page by every role and method, from the table that the router is made of; and bad requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base::clock;
use wardpost::page::routes::{Least, TABLE, Verb};
use wardpost::people::{Role, UserName, secret};
use wardpost::storage::{By, NewUser};

use super::post::{Post, alert};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// Somebody who asks.
pub struct Asker {
    name: &'static str,
    /// Least right that the login has; `None` without one.
    role: Option<Role>,
    is_locked: bool,
    /// The login's token.
    pub token: String,
}

/// Logs somebody in, as the page does after a password.
pub fn asker(post: &mut Post, name: &'static str, role: Option<Role>, is_locked: bool) -> Asker {
    let token = secret::token();
    if let Some(role) = role {
        let user: UserName = name.parse().unwrap();
        let by = By { who: "a test", at: clock::wall() };
        let new = NewUser { name: &user, full_name: name, role, password: None, code: None };
        post.storage().add_user(&new, by).unwrap();
        let digest = secret::digest(&token);
        post.storage().begin_login(&digest, &user, "127.0.0.1", clock::wall()).unwrap();
        if is_locked {
            let login = post.storage().login(&digest).unwrap().unwrap();
            post.storage().lock_login(&login, by).unwrap();
        }
    }
    Asker { name, role, is_locked, token }
}

/// Sends a request; returns the status and the text behind it.
fn ask(post: &Post, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", post.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A server that refuses early may have closed already.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    // A feed has no end: the head will do.
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text)
}

fn request(post: &Post, method: &str, path: &str, token: &str, more: &str, body: &str) -> (u16, String) {
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: wardpost={token}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{more}\r\n{body}",
        post.port(),
        body.len()
    );
    ask(post, text.as_bytes())
}

#[test]
fn a_session_without_rights_gets_nothing() {
    let mut post = Post::start();
    post.store(vec![alert(0)]);
    let askers = [
        asker(&mut post, "nobody", None, false),
        asker(&mut post, "locked", Some(Role::Administrator), true),
        asker(&mut post, "officer", Some(Role::Officer), false),
        asker(&mut post, "commander", Some(Role::Commander), false),
        asker(&mut post, "chief", Some(Role::Administrator), false),
    ];
    let mut tried = 0;
    for path in TABLE.iter().map(|route| route.path).collect::<std::collections::BTreeSet<_>>() {
        for method in METHODS {
            for asker in &askers {
                let route = TABLE.iter().find(|route| {
                    route.path == path
                        && match route.verb {
                            Verb::Get => ["GET", "HEAD"].contains(&method),
                            Verb::Post => method == "POST",
                        }
                });
                // Without the form's token.
                let (status, text) = request(&post, method, path, &asker.token, "", "");
                let place =
                    format!("{method} {path} by {}: {}", asker.name, text.lines().next().unwrap_or(""));
                tried += 1;
                let Some(route) = route else {
                    assert_eq!(status, 405, "{place}");
                    continue;
                };
                let has_right = match route.least {
                    Least::Anyone => true,
                    Least::Locked => asker.role.is_some(),
                    Least::Role(least) => !asker.is_locked && asker.role.is_some_and(|role| role >= least),
                };
                match (has_right, route.verb) {
                    (false, _) => assert!([401, 403, 423].contains(&status), "{place}"),
                    (true, Verb::Post) if route.least != Least::Anyone => assert_eq!(status, 403, "{place}"),
                    (true, _) => assert!([200, 303, 404, 422].contains(&status), "{place}"),
                }
            }
        }
    }
    assert_eq!(
        tried,
        7 * 5 * TABLE.iter().map(|route| route.path).collect::<std::collections::BTreeSet<_>>().len()
    );
}

#[test]
fn bad_requests_get_a_clear_answer_and_cost_nothing() {
    let mut post = Post::start();
    post.store(vec![alert(0)]);
    let officer = asker(&mut post, "officer", Some(Role::Officer), false);
    let token = officer.token.as_str();
    let form = format!("X-Form-Token: {}\r\n", secret::form_token(token));
    // A forged cookie.
    assert_eq!(request(&post, "GET", "/", &"a".repeat(43), "", "").0, 401);
    assert_eq!(request(&post, "GET", "/", &"a".repeat(4000), "", "").0, 401);
    // A form of another site, and one without the token.
    let foreign = format!("{form}Sec-Fetch-Site: cross-site\r\n");
    assert_eq!(request(&post, "POST", "/take", token, &foreign, "id=1").0, 403);
    assert_eq!(request(&post, "POST", "/take", token, "", "id=1").0, 403);
    // A huge form, a field that is missing, an event that is none.
    assert_eq!(request(&post, "POST", "/take", token, &form, &"a".repeat(4 << 20)).0, 413);
    assert_eq!(request(&post, "POST", "/take", token, &form, "").0, 422);
    assert_eq!(request(&post, "POST", "/take", token, &form, "id=99").0, 404);
    assert_eq!(request(&post, "GET", "/picture?alert=99", token, "", "").0, 404);
    // Not HTTP at all.
    assert_eq!(ask(&post, b"\x16\x03\x01\x02\x00\r\n\r\n").0, 400);
    // And then the step itself, once.
    assert_eq!(request(&post, "POST", "/take", token, &form, "id=1").0, 200);
    let (status, text) = request(&post, "GET", "/", token, "Accept: text/html\r\n", "");
    assert_eq!(status, 200);
    for header in ["content-security-policy", "x-content-type-options: nosniff", "cache-control: no-store"] {
        assert!(text.to_ascii_lowercase().contains(header), "{header}: {text}");
    }
    assert!(!text.contains("unsafe-inline"), "{text}");
}
