//! Keep-alives, and the goodbye to the camera.

use super::super::client::Client;
use super::super::error::RtspError;
use super::camera::{Camera, Reply, Request, by_the_book, ended, ok, read, status};
use crate::settings::KeepAliveBy;

/// A session that lives for three seconds without a request: one comes each second.
fn short_lived(request: &Request) -> Reply {
    match request.method.as_str() {
        "SETUP" => ok("Session: 4711;timeout=3\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"),
        _ => by_the_book(request),
    }
}

/// Reads until the camera has been asked so often after PLAY; gives the methods.
fn asked_after_play(camera: &Camera, client: &mut Client, wanted: usize) -> Vec<String> {
    loop {
        read(client, 10);
        let asked = camera.methods().into_iter().skip_while(|of| of != "PLAY").skip(1);
        let methods: Vec<String> = asked.take(wanted).collect();
        if methods.len() == wanted {
            return methods;
        }
    }
}

#[test]
fn the_session_is_kept_alive_by_what_options_names() {
    let camera = Camera::new(short_lived);
    let mut client = camera.open().unwrap();
    assert_eq!(asked_after_play(&camera, &mut client, 3), ["OPTIONS", "GET_PARAMETER", "GET_PARAMETER"]);
    let asked = camera.requests();
    assert!(asked.iter().skip(3).all(|of| of.header("session") == "4711"), "{asked:?}");
}

#[test]
fn a_keep_alive_that_is_not_answered_or_refused_is_made_another_way() {
    for reply in [Reply::Nothing, status("454 Session Not Found"), status("551 Option Not Supported")] {
        let camera = Camera::new(move |request| match request.method.as_str() {
            "GET_PARAMETER" => reply.clone(),
            _ => short_lived(request),
        });
        let mut client = camera.open().unwrap();
        assert_eq!(
            asked_after_play(&camera, &mut client, 4),
            ["OPTIONS", "GET_PARAMETER", "OPTIONS", "OPTIONS"]
        );
        assert_eq!(camera.connections(), 1);
    }
}

#[test]
fn a_keep_alive_with_a_nonce_that_is_old_is_answered_with_the_new_one() {
    let mut refused = 0;
    let camera = Camera::new(move |request| {
        let nonce = if request.number > 1 && request.method == "OPTIONS" { 2 } else { 1 };
        if request.method == "OPTIONS" && refused == 0 {
            refused += 1;
            return Reply::Text(
                "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"c\", nonce=\"2\", stale=true\r\n"
                    .into(),
                String::new(),
            );
        }
        if request.header("authorization").is_empty() {
            let header = format!("WWW-Authenticate: Digest realm=\"c\", nonce=\"{nonce}\"\r\n");
            return Reply::Text(format!("401 Unauthorized\r\n{header}"), String::new());
        }
        short_lived(request)
    });
    let camera = camera.logging_in("viewer", "secret");
    let mut client = camera.open().unwrap();
    assert_eq!(asked_after_play(&camera, &mut client, 3), ["OPTIONS", "OPTIONS", "GET_PARAMETER"]);
    let asked = camera.requests();
    let last = asked.iter().rfind(|of| of.method == "OPTIONS").unwrap();
    assert!(last.header("authorization").contains("nonce=\"2\""), "{last:?}");
}

#[test]
fn a_session_that_does_not_come_about_is_torn_down() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "PLAY" => status("500 Internal Server Error"),
        _ => by_the_book(request),
    });
    assert!(camera.open().is_err());
    camera.wait_for("TEARDOWN", 1);
    assert!(camera.requests().last().is_some_and(|of| of.header("session") == "4711"));
}

#[test]
fn a_camera_that_does_not_answer_the_end_does_not_hold_it_up() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "TEARDOWN" => Reply::Nothing,
        _ => by_the_book(request),
    });
    camera.plays().end();
    camera.wait_for("TEARDOWN", 1);
}

/// The next session is kept alive another way.
#[test]
fn a_camera_that_closes_over_options_is_not_asked_for_it_again() {
    let mut camera = Camera::new(|request| match request.method.as_str() {
        "OPTIONS" => Reply::Close("200 OK\r\nPublic: GET_PARAMETER\r\n".into()),
        _ => short_lived(request),
    });
    let error = ended(&mut camera.open().unwrap());
    assert!(matches!(error, RtspError::KeepAlive { method: "OPTIONS" }), "{error}");
    camera.keep_alive = KeepAliveBy::GetParameter;
    let mut client = camera.open().unwrap();
    let count = |method: &str| camera.methods().iter().filter(|of| *of == method).count();
    while count("GET_PARAMETER") < 3 {
        read(&mut client, 10);
    }
    assert_eq!((count("OPTIONS"), camera.connections()), (1, 2));
}

#[test]
fn a_session_that_goes_on_under_another_name_is_kept_alive_and_ended_under_it() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "PLAY" => ok("Session: 4712\r\n"),
        _ => short_lived(request),
    });
    let mut client = camera.open().unwrap();
    asked_after_play(&camera, &mut client, 2);
    client.end();
    camera.wait_for("TEARDOWN", 1);
    let asked = camera.requests();
    let after = asked.iter().skip_while(|of| of.method != "PLAY").skip(1);
    assert!(
        after.clone().count() >= 3 && after.clone().all(|of| of.header("session") == "4712"),
        "{asked:?}"
    );
}
