//! Servers that a box does not talk to, and its errors instead: a matrix of certificates that do not fit, against a
//! server that counts the bytes it gets. In each case an alert waits in the outbox.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::status::Status;
use base::time::ClockState;
use clipstore::Store;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;
use wardlink::{Acknowledge, Identity, Publisher, Settings, StatusSource, Tls};

use crate::post::station::Station;
use crate::publish::{LONG, Telling, settings};
use crate::support::sample::opened;
use crate::support::wait_until;

/// The serial number that the authority has revoked.
const REVOKED: u64 = 66;

/// Time of a certificate's validity.
#[derive(Clone, Copy)]
enum Validity {
    Now,
    Over,
    ToCome,
}

/// An authority whose files lie in a folder.
struct Authority {
    place: TempDir,
    issuer: Issuer<'static, KeyPair>,
    own: Certificate,
}

impl Authority {
    fn new() -> Self {
        let place = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, place.path().display().to_string());
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        std::fs::write(place.path().join("ca.pem"), own.pem()).unwrap();
        Self { place, issuer: Issuer::new(params, key), own }
    }

    fn ca_file(&self) -> PathBuf {
        self.place.path().join("ca.pem")
    }

    /// Certificate and key for a name.
    fn sign(&self, name: &str, validity: Validity, serial: u64) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        (params.not_before, params.not_after) = match validity {
            Validity::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1)),
            Validity::Over => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Validity::ToCome => (date_time_ymd(2089, 1, 1), date_time_ymd(2090, 1, 1)),
        };
        let key = KeyPair::generate().unwrap();
        let file = |end: &str| self.place.path().join(format!("{name}-{serial}{end}"));
        let identity = Identity { cert_file: file(".pem"), key_file: file(".key") };
        std::fs::write(&identity.cert_file, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&identity.key_file, key.serialize_pem()).unwrap();
        identity
    }

    fn revocations(&self) -> CertificateRevocationListDer<'static> {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(REVOKED),
                revocation_time: date_time_ymd(2025, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().clone()
    }

    /// A broker's side of TLS; it wants boxes of this authority.
    fn server(&self, identity: &Identity) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.own.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .with_crls([self.revocations()])
            .build()
            .unwrap();
        let chain = vec![CertificateDer::from_pem_file(&identity.cert_file).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&identity.key_file).unwrap();
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap())
    }
}

/// Connections and bytes that a server got.
#[derive(Debug, Clone, Default)]
struct Told {
    connections: usize,
    /// Bytes inside TLS, after a handshake that both sides accepted.
    inside: Vec<u8>,
    /// Bytes on the wire.
    outside: Vec<u8>,
}

/// A server that takes all bytes, and answers nothing but TLS.
struct Recorder {
    port: u16,
    told: Arc<Mutex<Told>>,
}

impl Recorder {
    /// Starts a server with TLS, or without.
    fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Told::default()));
        let of_thread = Arc::clone(&told);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                of_thread.lock().unwrap().connections += 1;
                stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                match &tls {
                    Some(config) => serve(&mut stream, Arc::clone(config), &of_thread),
                    // It reads once and closes, as a broker does after bytes that are no MQTT.
                    None => drop(read(&mut stream, &of_thread)),
                }
            }
        });
        Self { port, told }
    }

    fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }
}

fn read(stream: &mut TcpStream, told: &Mutex<Told>) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 65536];
    let length = stream.read(&mut buffer)?;
    buffer.truncate(length);
    told.lock().unwrap().outside.extend(&buffer);
    Ok(buffer)
}

/// Serves TLS until the other side hangs up, is silent, or does anything that TLS does not allow.
fn serve(stream: &mut TcpStream, config: Arc<ServerConfig>, told: &Mutex<Told>) {
    let mut tls = ServerConnection::new(config).unwrap();
    while let Ok(bytes) = read(stream, told) {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && tls.read_tls(&mut rest).is_ok() {
            let is_fine = tls.process_new_packets().is_ok();
            let mut inside = Vec::new();
            let _ = tls.reader().read_to_end(&mut inside);
            told.lock().unwrap().inside.extend(inside);
            while tls.wants_write() && tls.write_tls(stream).is_ok() {}
            if !is_fine {
                // The TLS alert must arrive: unread bytes would reset the connection before the client reads it.
                let _ = stream.shutdown(std::net::Shutdown::Write);
                while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
                return;
            }
        }
        if bytes.is_empty() {
            return;
        }
        stream.flush().unwrap();
    }
}

/// A box with this state of its clock.
struct At(ClockState, Telling);

impl StatusSource for At {
    fn status(&self) -> Status {
        Status { clock: self.0, ..self.1.status() }
    }
}

/// Returns a box's error after it tried, with an alert in its outbox.
fn said(settings: Settings, clock: ClockState) -> String {
    let place = TempDir::new().unwrap();
    let store: Store = crate::store::open(crate::store::settings(place.path()));
    store.put_alert(opened("gate", Duration::ZERO)).unwrap();
    let outbox = Arc::new(store.clone());
    let publisher = Publisher::start(settings, outbox, Arc::new(At(clock, Telling::default()))).unwrap();
    wait_until("there is an error", LONG, || publisher.state().last_error.is_some());
    let state = publisher.state();
    assert!(!state.connected && state.published == 0, "{state:?}");
    assert_eq!(store.outbox_depth().unwrap().0, 1, "the alert waits");
    state.last_error.unwrap()
}

/// A row of the matrix.
struct Case {
    name: &'static str,
    host: &'static str,
    clock: ClockState,
    /// Certificate of the broker; without one, it does not speak TLS.
    broker: Option<Identity>,
    /// Authority that the box trusts; without one, it does not speak TLS.
    ca_file: Option<PathBuf>,
    own: Option<Identity>,
    /// Words that its message must have.
    says: &'static [&'static str],
}

impl Case {
    fn settings(&self, port: u16) -> Settings {
        let tls = self.ca_file.clone().map(|ca_file| Tls { ca_file, identity: self.own.clone() });
        Settings { host: self.host.into(), tls, acknowledge: Acknowledge::Post, ..settings(port) }
    }
}

fn cases(authority: &Authority, other: &Authority) -> Vec<Case> {
    use ClockState::{Synced, Unsynced};
    use Validity::{Now, Over, ToCome};

    let broker = |validity, serial| Some(authority.sign("localhost", validity, serial));
    let fine = || Case {
        name: "",
        host: "localhost",
        clock: Synced,
        broker: broker(Now, 1),
        ca_file: Some(authority.ca_file()),
        own: Some(authority.sign("box-1", Now, 2)),
        says: &[],
    };
    vec![
        Case {
            name: "the broker's: of an unknown authority",
            ca_file: Some(other.ca_file()),
            says: &["broker.ca_file"],
            ..fine()
        },
        Case {
            name: "the broker's: for another name",
            host: "127.0.0.1",
            says: &["broker.url", "localhost"],
            ..fine()
        },
        Case {
            name: "the broker's: expired",
            broker: broker(Over, 3),
            says: &["until 2021-01-01", "renew it"],
            ..fine()
        },
        Case {
            name: "the broker's: expired, clock unsynced",
            broker: broker(Over, 3),
            clock: Unsynced,
            says: &["until 2021-01-01", "time server"],
            ..fine()
        },
        Case {
            name: "the broker's: not yet valid",
            broker: broker(ToCome, 4),
            says: &["from 2089-01-01", "valid already"],
            ..fine()
        },
        Case {
            name: "the broker's: not yet valid, clock unsynced",
            broker: broker(ToCome, 4),
            clock: Unsynced,
            says: &["from 2089-01-01", "nothing has set", "time server"],
            ..fine()
        },
        Case {
            name: "the box's: revoked",
            own: Some(authority.sign("box-1", Now, REVOKED)),
            says: &["revoked", "keygen --force"],
            ..fine()
        },
        Case {
            name: "the box's: expired",
            own: Some(authority.sign("box-1", Over, 5)),
            says: &["CertificateExpired", "signed again"],
            ..fine()
        },
        Case {
            name: "the box's: of an unknown authority",
            own: Some(other.sign("box-1", Now, 6)),
            says: &["broker.cert_file", "trusts the authority"],
            ..fine()
        },
        Case { name: "the box's: none", own: None, says: &["broker.cert_file", "keygen"], ..fine() },
        Case {
            name: "the box's: another box's",
            own: Some(authority.sign("box-2", Now, 7)),
            says: &["\"box-2\"", "\"box-1\"", "keygen"],
            ..fine()
        },
        Case {
            name: "TLS to a port without",
            broker: None,
            says: &["answers in TLS", "broker.url"],
            ..fine()
        },
        Case {
            name: "no TLS to a port with",
            ca_file: None,
            own: None,
            says: &["mqtts://", "broker.ca_file"],
            ..fine()
        },
    ]
}

#[test]
fn who_does_not_fit_is_told_nothing_and_the_message_says_what_to_change() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut matrix = String::new();
    for case in cases(&authority, &other) {
        let recorder = Recorder::start(case.broker.as_ref().map(|identity| authority.server(identity)));
        let said = said(case.settings(recorder.port), case.clock);
        let told = recorder.told();
        let (name, is_plain) = (case.name, case.ca_file.is_none());
        // Without TLS there is no handshake to fail first: all of it is application data.
        let bytes = if is_plain { told.outside.len() } else { told.inside.len() };
        writeln!(
            matrix,
            "{name:<48} {bytes:>4} bytes of MQTT in {} connections\n    {said}",
            told.connections
        )
        .unwrap();
        for words in case.says {
            assert!(said.contains(words), "{name}: {words} is missing in: {said}");
        }
        assert!(said.contains(&recorder.port.to_string()) || said.contains("box.id"), "{name}: {said}");
        assert!(!contains(&told.outside, b"wardwatch.alert/1"), "{name}: an alert on the wire");
        if is_plain {
            // CONNECT with the will, and nothing after it: the CONNACK never comes.
            assert!(
                told.outside[0] == 0x10 && contains(&told.outside, b"\"presence\":\"offline\""),
                "{name}"
            );
            assert!(!contains(&told.outside, b"\"gate\""), "{name}: cameras are told");
        } else {
            assert_eq!(bytes, 0, "{name}");
            assert!(!contains(&told.outside, b"wardwatch"), "{name}: in clear text");
        }
        assert_eq!(told.connections == 0, name.ends_with("another box's"), "{name}");
    }
    eprintln!("{matrix}");
}

/// Returns a ward post's log after it tried.
fn said_by_a_post(case: &Case, port: u16) -> String {
    let scheme = if case.ca_file.is_some() { "mqtts" } else { "mqtt" };
    let mut line = vec!["--broker".to_owned(), format!("{scheme}://{}:{port}", case.host)];
    let mut name = |option: &str, file: &Path| line.extend([option.to_owned(), file.display().to_string()]);
    if let Some(ca_file) = &case.ca_file {
        name("--ca", ca_file);
    }
    if let Some(own) = &case.own {
        name("--cert", &own.cert_file);
        name("--key", &own.key_file);
    }
    let mut station = Station::at(port, &line.iter().map(String::as_str).collect::<Vec<_>>());
    station.serve();
    // The page's word about its first login is no answer.
    let said = || {
        let log = station.log();
        let mut lines = log.lines().filter(|line| line.contains(" WARN ") && !line.contains("one-time code"));
        lines.next().map(str::to_owned)
    };
    wait_until("it says why", LONG, || said().is_some());
    said().unwrap()
}

#[test]
fn a_post_that_does_not_fit_says_what_to_change_in_the_same_words() {
    let (authority, other) = (Authority::new(), Authority::new());
    // No server asks a post for its own name, and this test cannot set its clock's state.
    let is_for_a_post =
        |case: &Case| !case.name.ends_with("another box's") && case.clock == ClockState::Synced;
    let is_of_a_box = |words: &str| words.contains("keygen");
    let is_of_the_clock = |words: &str| words == "renew it" || words == "valid already";
    let mut seen = 0;
    for case in cases(&authority, &other).into_iter().filter(is_for_a_post) {
        let recorder = Recorder::start(case.broker.as_ref().map(|identity| authority.server(identity)));
        let said = said_by_a_post(&case, recorder.port);
        eprintln!("{}\n    {said}", case.name);
        for words in case.says.iter().filter(|words| !is_of_a_box(words) && !is_of_the_clock(words)) {
            assert!(said.contains(words), "{}: {words} is missing in: {said}", case.name);
        }
        assert!(said.contains(&recorder.port.to_string()), "{}: {said}", case.name);
        assert!(!said.contains(" box") && !said.contains("keygen"), "{}: {said}", case.name);
        assert!(
            case.ca_file.is_none() || recorder.told().inside.is_empty(),
            "{}: MQTT was spoken",
            case.name
        );
        seen += 1;
    }
    assert_eq!(seen, 10);
}

/// The same server hears a client that fits: the empty results above do not come from a deaf server.
#[test]
fn who_fits_is_heard() {
    let authority = Authority::new();
    let recorder = Recorder::start(Some(authority.server(&authority.sign("localhost", Validity::Now, 1))));
    let case = Case {
        name: "",
        host: "localhost",
        clock: ClockState::Synced,
        broker: None,
        ca_file: Some(authority.ca_file()),
        own: Some(authority.sign("box-1", Validity::Now, 2)),
        says: &[],
    };
    let said = said(case.settings(recorder.port), case.clock);
    let inside = recorder.told().inside;
    assert!(inside[0] == 0x10 && contains(&inside, b"wardwatch.status/1"), "CONNECT, with the will");
    assert!(said.contains("hangs up before it welcomes the box"), "{said}");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_openssl_program_reads_what_keygen_makes() {
    let place = TempDir::new().unwrap();
    let identity = crate::support::ceremony::keygen("box-1", place.path());
    let openssl = |arguments: &[&str], file: &Path| {
        let output =
            std::process::Command::new("openssl").args(arguments).arg("-in").arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let key = openssl(&["pkey", "-noout", "-text"], &identity.key_file);
    assert!(key.contains("prime256v1"), "{key}");
    let request = openssl(&["req", "-noout", "-text", "-verify"], &place.path().join("box.csr"));
    for part in ["verify OK", "CN = box-1", "DNS:box-1", "ecdsa-with-SHA256"] {
        assert!(request.contains(part), "{part}: {request}");
    }
    assert_eq!(
        openssl(&["pkey", "-pubout"], &identity.key_file).lines().nth(1),
        openssl(&["req", "-noout", "-pubkey"], &place.path().join("box.csr")).lines().nth(1),
        "the request is that key's"
    );
}
