//! Logins: the demands of cameras, their order, and which refusals are about the password.

use std::sync::{Arc, Mutex};

use super::super::error::RtspError;
use super::camera::{Camera, Reply, Request, by_the_book, status};

fn challenge(headers: &str) -> Reply {
    Reply::Text(format!("401 Unauthorized\r\n{headers}"), String::new())
}

/// A camera that lets in whoever answers one of its challenges as `accepts` likes.
fn guarded(challenges: &'static str, accepts: impl Fn(&str) -> bool + Send + 'static) -> Camera {
    let camera = Camera::new(move |request| {
        if accepts(request.header("authorization")) { by_the_book(request) } else { challenge(challenges) }
    });
    camera.logging_in("viewer", "secret")
}

#[test]
fn each_kind_of_login_is_answered_wherever_it_stands() {
    const BASIC: &str = "Basic dmlld2VyOnNlY3JldA==";
    for (challenges, wanted) in [
        ("WWW-Authenticate: Basic realm=\"cam\"\r\n", BASIC),
        ("WWW-Authenticate: Digest realm=\"cam\", nonce=\"1\"\r\n", "Digest username=\"viewer\""),
        (
            "www-authenticate: Basic realm=\"cam\"\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"1\"\r\n",
            "Digest ",
        ),
        ("WWW-Authenticate: Digest realm=\"cam\", nonce=\"1\", algorithm=SHA-256\r\n", "algorithm=SHA-256"),
        ("WWW-Authenticate: Digest realm=\"cam\", nonce=\"1\", qop=\"auth\"\r\n", "qop=auth, nc=0000000"),
        ("WWW-Authenticate: Digest realm=\"c\", nonce=\"1\", algorithm=\"md5\"\r\n", "algorithm=md5"),
        ("WWW-Authenticate: Digest realm=\"c\", nonce=\"1\", algorithm=MD5-sess\r\n", "cnonce="),
    ] {
        let camera = guarded(challenges, move |answer| answer.contains(wanted));
        camera.plays().end();
        camera.wait_for("TEARDOWN", 1);
        let refused = camera.requests().iter().filter(|of| of.header("authorization").is_empty()).count();
        assert_eq!(refused, 1, "{challenges}: the login is kept");
        assert!(camera.requests().iter().all(|of| !of.header("authorization").contains("secret")));
    }
}

#[test]
fn what_is_offered_first_and_not_understood_is_answered_another_way() {
    let both = "WWW-Authenticate: Digest realm=\"c\", nonce=\"1\", algorithm=SHA-256\r\n\
                WWW-Authenticate: Digest realm=\"c\", nonce=\"1\"\r\n";
    guarded(both, |answer| answer.contains("Digest") && !answer.contains("SHA-256")).plays();
}

/// Each request needs a nonce of its own.
fn new_nonce_each(request: &Request, nonce: &mut u32) -> Reply {
    let is_right = request.header("authorization").contains(&format!("nonce=\"n{nonce}\""));
    *nonce += 1;
    if is_right {
        return by_the_book(request);
    }
    challenge(&format!("WWW-Authenticate: Digest realm=\"c\", nonce=\"n{nonce}\"\r\n"))
}

#[test]
fn a_new_nonce_for_each_request_is_answered() {
    let mut nonce = 0;
    let camera =
        Camera::new(move |request| new_nonce_each(request, &mut nonce)).logging_in("viewer", "secret");
    camera.plays().end();
    camera.wait_for("TEARDOWN", 2);
    assert_eq!(camera.connections(), 1);
}

#[test]
fn a_first_nonce_that_is_stale_at_once_is_not_the_passwords_fault() {
    for stale in ["", ", stale=true"] {
        let camera = Camera::new(move |request| match request.header("authorization") {
            answer if answer.contains("nonce=\"2\"") => by_the_book(request),
            "" => challenge("WWW-Authenticate: Digest realm=\"c\", nonce=\"1\"\r\n"),
            _ => challenge(&format!("WWW-Authenticate: Digest realm=\"c\", nonce=\"2\"{stale}\r\n")),
        });
        camera.logging_in("viewer", "secret").plays();
    }
}

#[test]
fn a_camera_that_closes_behind_its_challenge_is_asked_again() {
    let camera = Camera::new(|request| {
        if request.header("authorization").is_empty() {
            return Reply::Close(
                "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"c\", nonce=\"1\"\r\n".into(),
            );
        }
        by_the_book(request)
    });
    let camera = camera.logging_in("viewer", "secret");
    camera.plays();
    assert_eq!(camera.connections(), 2);
}

#[test]
fn a_wrong_password_is_named_and_not_shown() {
    let camera = guarded("WWW-Authenticate: Digest realm=\"c\", nonce=\"1\"\r\n", |_| false);
    let error = camera.open().unwrap_err();
    assert!(matches!(&error, RtspError::PasswordRefused { user } if user == "viewer"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
    let tries = camera.requests().iter().filter(|of| !of.header("authorization").is_empty()).count();
    assert_eq!(tries, 2, "cameras lock out who tries too often");
}

#[test]
fn refusals_that_are_not_about_the_password_do_not_blame_it() {
    let nobody = Camera::new(|_| challenge("WWW-Authenticate: Basic realm=\"c\"\r\n"));
    assert!(matches!(nobody.open(), Err(RtspError::PasswordNeeded)));
    let mute = Camera::new(|_| status("401 Unauthorized")).logging_in("viewer", "secret");
    assert!(matches!(mute.open(), Err(RtspError::NoChallenge { .. })));
    let foreign =
        guarded("WWW-Authenticate: Digest realm=\"c\", nonce=\"1\", algorithm=SHA-512-256\r\n", |_| false);
    let said = foreign.open().unwrap_err().to_string();
    assert!(said.contains("SHA-512-256") && said.contains("set its RTSP login"), "{said}");
    let no_right = Camera::new(|request| {
        if request.method == "DESCRIBE" && !request.header("authorization").is_empty() {
            return by_the_book(request);
        }
        challenge("WWW-Authenticate: Digest realm=\"c\", nonce=\"1\"\r\n")
    });
    let error = no_right.logging_in("viewer", "secret").open().unwrap_err();
    assert!(matches!(error, RtspError::RequestRefused { .. }), "{error}");
}

#[test]
fn a_redirection_to_another_place_is_not_told_the_password_in_clear() {
    // Another name, and another port of the same host: who listens there need not be the camera.
    for host in ["localhost", "127.0.0.1"] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = told.clone();
        let other = Camera::new(move |request| {
            seen.lock().unwrap().push(request.header("authorization").to_owned());
            challenge("WWW-Authenticate: Basic realm=\"c\"\r\n")
        });
        let to = other.url().replace("127.0.0.1", host);
        let camera =
            Camera::new(move |_| Reply::Text(format!("302 Moved\r\nLocation: {to}\r\n"), String::new()));
        let error = camera.logging_in("viewer", "secret").open().unwrap_err();
        assert!(matches!(error, RtspError::LoginNotSpoken { .. }), "{error}");
        assert_eq!(*told.lock().unwrap(), [""], "{host}");
    }
}
