//! Descriptions, SETUP and PLAY off the book.

use super::super::super::settings::Transport;
use super::super::error::RtspError;
use super::camera::{Camera, Reply, Request, SDP, by_the_book, described, framed, ok, read, rtp, status};

/// A camera by the book but for its answer to SETUP.
fn with_setup(headers: &'static str, channel: u8) -> Camera {
    let answer = move |request: &Request| match by_the_book(request) {
        Reply::Text(..) if request.method == "SETUP" => ok(headers),
        reply => reply,
    };
    Camera::sending(answer, move |number| framed(channel, &rtp(number)))
}

/// A camera by the book but for the head of its answer to DESCRIBE, in which URL is the address asked for. It knows
/// its track under this address alone, in which HOST is its own.
fn with_base(headers: &'static str, sdp: &'static str, track: &'static str) -> Camera {
    let mut home = String::new();
    Camera::new(move |request| match request.method.as_str() {
        "DESCRIBE" => {
            home = request.url[7..].split('/').next().unwrap_or_default().to_owned();
            let headers = headers.replace("URL", &request.url[7..]);
            Reply::Text(format!("200 OK\r\n{headers}"), sdp.to_owned())
        }
        "SETUP" => {
            let is_known = request.url == track.replace("HOST", &home);
            if is_known { by_the_book(request) } else { status("404 Not Found") }
        }
        _ => by_the_book(request),
    })
}

#[test]
fn a_camera_by_the_book_plays_over_one_connection() {
    let camera = Camera::new(by_the_book);
    let client = camera.plays();
    client.end();
    camera.wait_for("TEARDOWN", 1);
    assert_eq!(camera.methods(), ["DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]);
    assert_eq!(camera.connections(), 1);
}

#[test]
fn setup_replies_off_the_book_are_understood() {
    for (headers, channel) in [
        ("Session: 4711\r\nTransport: RTP/AVP/TCP;unicast\r\n", 0),
        ("Session: 4711\r\n", 0),
        ("Session: 4711\r\nTransport: RTP/AVP/TCP;unicast;interleaved=8-9\r\n", 8),
        ("Session: 4711\r\nTransport: RTP/AVP/TCP;unicast;interleaved=1-2\r\n", 1),
        ("Session: 4711\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-0\r\n", 0),
        ("Session: 4711\r\ntransport : rtp/avp/tcp; Unicast; Interleaved = 2 - 3; ssrc= d6d\r\n", 2),
        ("Session: 4711;timeout=0\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n", 0),
        ("Session: 4711;Timeout=30;x=y;\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n", 0),
        ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", 0),
    ] {
        let camera = with_setup(headers, channel);
        camera.plays();
        assert_eq!(camera.connections(), 1, "{headers}");
    }
}

#[test]
fn a_camera_that_uses_another_channel_than_it_says_is_read() {
    let camera = with_setup("Session: 4711\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n", 4);
    let client = camera.plays();
    assert_eq!(client.counts().odd_replies, 1);
}

#[test]
fn a_description_with_an_odd_base_leads_to_its_track() {
    let typed = "Content-Type: application/sdp; charset=utf-8\r\n";
    for (base, track) in [
        ("Content-Base: \r\n", "rtsp://HOST/main/trackID=0"),
        ("", "rtsp://HOST/main/trackID=0"),
        ("Content-Base: rtsp://rtsp://URL/\r\n", "rtsp://HOST/main/trackID=0"),
        ("Content-Base: URL/\r\n", "rtsp://HOST/main/trackID=0"),
        ("Content-Base: rtsp://URL\r\n", "rtsp://HOST/main/trackID=0"),
        ("Content-Base: rtsp://192.168.77.5:554/main/\r\n", "rtsp://192.168.77.5:554/main/trackID=0"),
        ("Content-Location: rtsp://URL/sub/\r\n", "rtsp://HOST/main/sub/trackID=0"),
        // Its own inside address, which it does not take from outside.
        ("content-base:rtsp://192.168.77.5:554/main/\r\n", "rtsp://HOST/main/trackID=0"),
    ] {
        let headers: &'static str = format!("{typed}{base}").leak();
        let camera = with_base(headers, SDP, track);
        let outcome = camera.open();
        assert!(outcome.is_ok(), "{base}: {:?}", camera.requests());
    }
}

#[test]
fn control_lines_of_every_kind_lead_to_their_track() {
    const VIDEO: &str = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";
    for (control, track) in [
        ("", "rtsp://HOST/main"),
        ("a=control:*\r\n", "rtsp://HOST/main"),
        ("a=control:rtsp://HOST/main/t1\r\n", "rtsp://HOST/main/t1"),
        ("a=control:/live/t1\r\n", "rtsp://HOST/live/t1"),
        ("a=control:\r\n", "rtsp://HOST/main"),
    ] {
        let sdp: &'static str = format!("{VIDEO}{control}").leak();
        let camera = Camera::new(move |request| {
            let host = request.url[7..].split('/').next().unwrap_or_default().to_owned();
            match request.method.as_str() {
                "DESCRIBE" => Reply::Text("200 OK\r\n".into(), sdp.replace("HOST", &host)),
                "SETUP" if request.url != track.replace("HOST", &host) => status("404 Not Found"),
                _ => by_the_book(request),
            }
        });
        let outcome = camera.open();
        assert!(outcome.is_ok(), "{control}: {:?}", camera.requests());
    }
}

#[test]
fn a_description_of_a_wrong_length_is_read() {
    for length in ["", "Content-Length: 40\r\n", "Content-Length: 900\r\n", "Content-Length: many\r\n"] {
        let camera = Camera::new(move |request| match request.method.as_str() {
            "DESCRIBE" => {
                let cseq = request.header("cseq");
                Reply::Raw(format!("RTSP/1.0 200 OK\nCSeq: {cseq}\n{length}\n{SDP}").into_bytes())
            }
            _ => by_the_book(request),
        });
        camera.plays();
    }
}

#[test]
fn only_the_video_is_set_up() {
    let sdp = format!(
        "{SDP}m=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\nm=application 0 RTP/AVP 107\r\na=control:trackID=2\r\n"
    );
    let camera = Camera::new(move |request| match request.method.as_str() {
        "DESCRIBE" => described(request, &sdp),
        _ => by_the_book(request),
    });
    camera.plays();
    let asked = camera.requests();
    let tracks: Vec<&str> =
        asked.iter().filter(|of| of.method == "SETUP").map(|of| &of.url[of.url.len() - 9..]).collect();
    assert_eq!(tracks, ["trackID=0"]);
}

#[test]
fn a_camera_that_admits_udp_alone_is_read_by_udp_on_the_same_connection() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "SETUP" if request.header("transport").contains("TCP") => status("461 Unsupported Transport"),
        _ => by_the_book(request),
    });
    let mut client = camera.open().unwrap();
    read(&mut client, 20);
    assert!(client.is_udp() && client.note().unwrap().contains("transport = \"udp\""));
    assert_eq!(camera.connections(), 1);
    client.end();
    camera.wait_for("TEARDOWN", 1);
}

#[test]
fn a_camera_that_refuses_tcp_in_other_words_is_read_by_udp() {
    for refusal in ["400 Bad Request", "406 Not Acceptable", "501 Not Implemented"] {
        let camera = Camera::new(move |request| match request.method.as_str() {
            "SETUP" if request.header("transport").contains("TCP") => status(refusal),
            _ => by_the_book(request),
        });
        let mut client = camera.open().unwrap();
        read(&mut client, 5);
        assert!(client.is_udp(), "{refusal}");
    }
}

#[test]
fn a_camera_that_wants_to_be_asked_what_it_can_is_asked() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "DESCRIBE" if request.number == 1 => status("455 Method Not Valid In This State"),
        _ => by_the_book(request),
    });
    camera.plays();
    assert_eq!(camera.methods()[..3], ["DESCRIBE", "OPTIONS", "DESCRIBE"]);
}

#[test]
fn a_camera_that_plays_without_answering_is_read() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "PLAY" => Reply::Raw(Vec::new()),
        _ => by_the_book(request),
    });
    camera.plays();
}

#[test]
fn a_camera_that_answers_tcp_with_udp_is_read_by_udp() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "SETUP" if request.header("transport").contains("TCP") => {
            ok("Session: 4711\r\nTransport: RTP/AVP;unicast;server_port=6970-6971\r\n")
        }
        _ => by_the_book(request),
    });
    let mut client = camera.open().unwrap();
    read(&mut client, 20);
    assert!(client.is_udp());
}

#[test]
fn a_camera_that_admits_tcp_alone_is_read_though_udp_is_set() {
    let mut camera = Camera::new(|request| match request.method.as_str() {
        "SETUP" if !request.header("transport").contains("TCP") => status("461 Unsupported Transport"),
        _ => by_the_book(request),
    });
    camera.transport = Transport::Udp;
    let client = camera.plays();
    assert!(!client.is_udp() && client.note().is_some());
}

#[test]
fn a_camera_that_admits_nothing_says_so() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "SETUP" => status("461 Unsupported Transport"),
        _ => by_the_book(request),
    });
    assert!(matches!(camera.open(), Err(RtspError::NoTransport)));
}

#[test]
fn redirections_are_followed_and_end() {
    let other = Camera::new(by_the_book);
    let to = other.url();
    let camera = Camera::new(move |request| match request.method.as_str() {
        "DESCRIBE" if request.url.ends_with("/main") => {
            Reply::Text(format!("302 Moved Temporarily\r\nLocation: {to}\r\n"), String::new())
        }
        "DESCRIBE" if request.url.ends_with("/path") => {
            Reply::Text("301 Moved Permanently\r\nLocation: /there\r\n".into(), String::new())
        }
        "DESCRIBE" if request.url.ends_with("/relative") => {
            Reply::Text("302 Moved\r\nLocation: there?x=1\r\n".into(), String::new())
        }
        "DESCRIBE" if request.url.ends_with("/round") => {
            Reply::Text("302 Moved\r\nLocation: /round\r\n".into(), String::new())
        }
        _ => by_the_book(request),
    });
    camera.plays();
    assert_eq!(other.methods(), ["DESCRIBE", "SETUP", "PLAY"]);
    let at = |path: &str| camera.open_at(&camera.url().replace("/main", path));
    read(&mut at("/path").unwrap(), 5);
    read(&mut at("/live/relative").unwrap(), 5);
    let asked = camera.requests();
    assert!(asked.iter().any(|of| of.url.ends_with("/live/there?x=1")), "{asked:?}");
    assert!(matches!(at("/round"), Err(RtspError::Redirected)));
}

#[test]
fn play_is_asked_again_where_the_session_or_the_range_is_refused() {
    for refusal in [
        "454 Session Not Found",
        "551 Option Not Supported",
        "457 Invalid Range",
        "459 Aggregate Not Allowed",
        "406 Not Acceptable",
    ] {
        let camera = Camera::new(move |request| match request.method.as_str() {
            "PLAY" if request.number == 1 => status(refusal),
            _ => by_the_book(request),
        });
        camera.plays();
        assert_eq!(camera.connections(), 1, "{refusal}");
    }
}

#[test]
fn packets_before_the_reply_to_play_are_kept() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "PLAY" => {
            let reply = format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\n\r\n", request.header("cseq"));
            Reply::Raw([framed(0, &rtp(60_000)), reply.into_bytes()].concat())
        }
        _ => by_the_book(request),
    });
    let mut client = camera.open().unwrap();
    assert_eq!(read(&mut client, 5)[0], 60_000);
}

#[test]
fn what_cannot_be_had_is_said_with_its_remedy() {
    let refusing = |line: &'static str| {
        Camera::new(
            move |request| if request.method == "DESCRIBE" { status(line) } else { by_the_book(request) },
        )
    };
    for (line, words) in [
        ("404 Not Found", "check the path"),
        ("403 Forbidden", "give this user the right"),
        ("453 Not Enough Bandwidth", "close other viewers"),
        ("503 Service Unavailable", "close other viewers"),
        ("400 Bad Request", "400 Bad Request"),
    ] {
        let said = refusing(line).open().unwrap_err().to_string();
        assert!(said.contains(words), "{line}: {said}");
    }
    let describing =
        |sdp: &'static str| {
            Camera::new(move |request| {
                if request.method == "DESCRIBE" { described(request, sdp) } else { by_the_book(request) }
            })
        };
    for (sdp, words) in [
        ("v=0\r\nm=audio 0 RTP/AVP 8\r\n", "no video"),
        ("v=0\r\nm=video 0 RTP/AVP 26\r\n", "MJPEG"),
        ("v=0\r\n", "not understood"),
    ] {
        let said = describing(sdp).open().unwrap_err().to_string();
        assert!(said.contains(words), "{sdp:?}: {said}");
    }
}
