//! A broker that refuses: the connection by each code, a version of TLS, the subscription to the acknowledgements. Mosquitto
//! does none of that, so a scripted one does.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use base::fault::ErrorKind;
use wardlink::{Tls, try_connection};

use super::post::of_post;
use super::{Authority, LONG, Sender};
use crate::support::wait_until;

/// Serves each connection by `serve`. Returns the port.
fn server(serve: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The client may leave at any time.
            let _ = serve(&mut stream);
        }
    });
    port
}

/// A broker with these codes in CONNACK and SUBACK.
fn broker(connack: u8, suback: u8) -> u16 {
    server(move |stream| {
        loop {
            let (kind, body) = packet(stream)?;
            match kind >> 4 {
                1 => stream.write_all(&[0x20, 2, 0, connack])?,
                3 if kind & 0x06 == 0x02 => {
                    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    stream.write_all(&[0x40, 2, body[2 + topic], body[3 + topic]])?;
                }
                8 => stream.write_all(&[0x90, 3, body[0], body[1], suback])?,
                12 => stream.write_all(&[0xd0, 0])?,
                _ => {}
            }
            if connack != 0 {
                return Ok(());
            }
        }
    })
}

/// The first byte of an MQTT packet, and what follows its length.
fn packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let byte = |stream: &mut TcpStream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).map(|()| byte[0])
    };
    let kind = byte(stream)?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let next = byte(stream)?;
        length |= usize::from(next & 0x7f) << shift;
        shift += 7;
        if next & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

#[test]
fn a_refusal_by_code_says_what_to_change_and_does_not_blame_tls() {
    for (code, words, kind) in [
        (1, "does not speak MQTT 3.1.1 (CONNACK 1)", ErrorKind::Config),
        (132, "does not speak MQTT 3.1.1 (CONNACK 132)", ErrorKind::Config),
        (2, "refuses the client id", ErrorKind::Config),
        (3, "calls itself unavailable or full (CONNACK 3)", ErrorKind::Transient),
        (4, "check broker.user and broker.password_file", ErrorKind::Config),
        (5, "check broker.user and broker.password_file", ErrorKind::Config),
        (6, "with CONNACK 6, a code that MQTT 3.1.1 does not know", ErrorKind::Transient),
        (128, "with CONNACK 128, a code that MQTT 3.1.1 does not know", ErrorKind::Transient),
        (255, "with CONNACK 255, a code that MQTT 3.1.1 does not know", ErrorKind::Transient),
    ] {
        let error = try_connection(&of_post(broker(code, 1))).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(words) && !said.contains("TLS"), "{code}: {said}");
        assert_eq!(error.kind(), kind, "{code}: {said}");
    }
}

#[test]
fn a_broker_that_speaks_tls_1_1_is_told_from_one_without_tls() {
    // The fatal alert `protocol_version`; and a ServerHello of TLS 1.1, with a cipher of its time.
    let alert = vec![21, 3, 2, 0, 2, 2, 70];
    let hello = [&[2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let hello = [&[22, 3, 2, 0, hello.len() as u8][..], &hello].concat();
    let authority = Authority::new();
    let tls = Tls { ca_file: authority.ca_file(), identity: None };
    for answer in [alert, hello] {
        let answered = answer.clone();
        let port = server(move |stream| {
            let mut head = [0; 5];
            stream.read_exact(&mut head)?;
            let mut client_hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
            stream.read_exact(&mut client_hello)?;
            stream.write_all(&answered)?;
            stream.shutdown(std::net::Shutdown::Write)?;
            stream.read_to_end(&mut Vec::new()).map(drop)
        });
        let mut settings = of_post(port);
        settings.tls = Some(tls.clone());
        let said = try_connection(&settings).unwrap_err().to_string();
        assert!(said.contains("have no version of TLS in common"), "{answer:?}: {said}");
    }
}

/// The box tries its other client id first; then the connection stands, and the alert is with the broker.
#[test]
fn a_refused_subscription_is_among_the_warnings_while_the_connection_stands() {
    let sender = Sender::start(of_post(broker(0, 0x80)));
    sender.put(0);
    wait_until("the warning is there", LONG, || {
        sender.state().warnings.iter().any(|text| text.contains("does not let this box read"))
    });
    wait_until("the broker has the alert", LONG, || sender.state().published == 1);
    let state = sender.state();
    assert!(state.connected, "{state:?}");
    assert_eq!((state.warnings.len(), sender.depth()), (1, 1), "{state:?}");
}
