//! Tests against a server on loopback that shows the faults of real servers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

/// Behaviour of the server for one request.
#[derive(Clone)]
enum Treatment {
    /// As it should be.
    Well,
    /// The whole file, for any requested part.
    WithoutRanges,
    /// Ends after so many bytes of the body.
    CutAfter(usize),
    /// Silent after so many bytes.
    StallsAfter(usize),
    /// A block at a time, with a pause.
    Slowly,
    /// Another status.
    Status(u16),
    /// To this path.
    Redirect(&'static str),
    /// A part that was not requested.
    AnotherPart,
    /// This body in place of the file.
    Instead(&'static [u8]),
    /// More than it says, without a length.
    Endless,
}

struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Treats requests one after the other as listed; the last treatment stays.
    fn new(file: &[u8], treatments: &[Treatment]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/network.onnx", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, file, treatments) = (Arc::clone(&requests), file.to_vec(), treatments.to_vec());
        std::thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                let treatment = &treatments[at.min(treatments.len() - 1)];
                // The client may hang up at any time.
                let _ = serve(stream.unwrap(), &file, treatment, &seen);
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    file: &[u8],
    treatment: &Treatment,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut asked = lines.next().unwrap_or(Ok(String::new()))?;
    let mut first = 0;
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            first = range.trim_end_matches('-').parse().unwrap();
            asked = format!("{asked} from {first}");
        }
    }
    seen.lock().unwrap().push(asked);
    let mut stream = stream;
    let whole = |stream: &mut TcpStream, body: &[u8]| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
    };
    let part = |stream: &mut TcpStream, first: usize| match first {
        0 => whole(stream, file),
        first if first >= file.len() => {
            write!(
                stream,
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        }
        first => write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{}/{}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            file.len() - 1,
            file.len(),
            file.len() - first
        ),
    };
    let rest = file.get(first..).unwrap_or_default();
    match treatment {
        Treatment::Well => {
            part(&mut stream, first)?;
            stream.write_all(rest)
        }
        Treatment::WithoutRanges => {
            whole(&mut stream, file)?;
            stream.write_all(file)
        }
        Treatment::CutAfter(bytes) => {
            part(&mut stream, first)?;
            stream.write_all(&rest[..*bytes.min(&rest.len())])
        }
        Treatment::StallsAfter(bytes) => {
            part(&mut stream, first)?;
            stream.write_all(&rest[..*bytes])?;
            // Until the client gives up.
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            std::io::Read::read(&mut stream, &mut [0; 1]).map(|_| ())
        }
        Treatment::Slowly => {
            part(&mut stream, first)?;
            for block in rest.chunks(rest.len() / 8 + 1) {
                stream.write_all(block)?;
                stream.flush()?;
                std::thread::sleep(Duration::from_millis(60));
            }
            Ok(())
        }
        Treatment::Status(status) => {
            write!(stream, "HTTP/1.1 {status} So\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        }
        Treatment::Redirect(path) => {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        }
        Treatment::AnotherPart if first > 0 => {
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-9/{}\r\nContent-Length: 9\r\n\r\n",
                file.len()
            )
        }
        Treatment::AnotherPart => {
            part(&mut stream, 0)?;
            stream.write_all(file)
        }
        Treatment::Instead(body) => {
            whole(&mut stream, body)?;
            stream.write_all(body)
        }
        Treatment::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(file)?;
            }
        }
    }
}

/// A file of some blocks.
fn file() -> Vec<u8> {
    (0..400_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Box {
    folder: tempfile::TempDir,
    sha256: String,
    file: Vec<u8>,
}

impl Box {
    fn new() -> Self {
        let file = file();
        Self { folder: tempfile::tempdir().unwrap(), sha256: hash(&file), file }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("models/network.onnx")
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("models/network.onnx.part")
    }

    fn fetch(&self, server: &Server) -> Result<Vec<(u64, Option<u64>)>, DownloadError> {
        self.fetch_of(server, Some(self.file.len() as u64))
    }

    fn fetch_of(
        &self,
        server: &Server,
        bytes: Option<u64>,
    ) -> Result<Vec<(u64, Option<u64>)>, DownloadError> {
        let target = self.target();
        let wanted = Wanted { sha256: &self.sha256, bytes, target: &target };
        let patience = Patience { silence: Duration::from_millis(700), pause: Duration::from_millis(10) };
        let mut steps = Vec::new();
        fetch(&server.url, wanted, patience, &mut |done, total| steps.push((done, total)))?;
        assert_eq!(fs::read(&target).unwrap(), self.file, "the file is there, and whole");
        assert!(!self.part().exists(), "nothing else is left");
        Ok(steps)
    }

    /// The error's message; nothing is under the final name.
    fn refused(&self, server: &Server, bytes: Option<u64>) -> String {
        let error = self.fetch_of(server, bytes).unwrap_err();
        assert!(!self.target().exists());
        error.to_string()
    }
}

#[test]
fn a_file_comes_whole_and_once() {
    let (here, server) = (Box::new(), Server::new(&file(), &[Treatment::Well]));
    let steps = here.fetch(&server).unwrap();
    let len = here.file.len() as u64;
    assert_eq!(steps.last(), Some(&(len, Some(len))));
    assert!(steps.windows(2).all(|pair| pair[0].0 < pair[1].0), "it is told of as it comes");
    here.fetch(&server).unwrap();
    assert_eq!(server.requests(), ["GET /network.onnx HTTP/1.1"], "what is there is not fetched again");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(here.target()).unwrap().permissions());
    assert_eq!(mode & 0o444, 0o444 & mode | 0o400, "{mode:o}");
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    for treatments in [
        vec![Treatment::CutAfter(150_000), Treatment::Well],
        vec![Treatment::CutAfter(150_000), Treatment::CutAfter(100_000), Treatment::Slowly],
        vec![Treatment::StallsAfter(150_000), Treatment::Well],
    ] {
        let (here, server) = (Box::new(), Server::new(&file(), &treatments));
        here.fetch(&server).unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), treatments.len());
        assert!(requests[1].ends_with("from 150000"), "{requests:?}");
    }
}

#[test]
fn what_is_there_is_kept_for_the_next_call() {
    let here = Box::new();
    let server =
        Server::new(&here.file, &[Treatment::CutAfter(150_000), Treatment::CutAfter(0), Treatment::Well]);
    let message = here.refused(&server, None);
    for words in ["broke after 150000 bytes", "network.onnx.part", "run the command again"] {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    assert_eq!(fs::read(here.part()).unwrap(), here.file[..150_000]);
    here.fetch(&server).unwrap();
    assert!(server.requests()[2].ends_with("from 150000"), "{:?}", server.requests());
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    for treatment in [Treatment::WithoutRanges, Treatment::AnotherPart] {
        let here = Box::new();
        let server = Server::new(&here.file, &[Treatment::CutAfter(150_000), treatment]);
        here.fetch(&server).unwrap();
    }
}

#[test]
fn a_part_that_is_whole_already_or_of_another_file_does_no_harm() {
    let here = Box::new();
    let server = Server::new(&here.file, &[Treatment::Well]);
    fs::create_dir_all(here.part().parent().unwrap()).unwrap();
    fs::write(here.part(), &here.file).unwrap();
    here.fetch(&server).unwrap();
    fs::remove_file(here.target()).unwrap();
    let stranger: Vec<u8> = here.file.iter().map(|byte| byte ^ 1).collect();
    for stranger in [&stranger[..], &stranger[..100_000], &[&stranger[..], &stranger[..]].concat()] {
        fs::write(here.part(), stranger).unwrap();
        here.fetch(&server).unwrap();
        fs::remove_file(here.target()).unwrap();
    }
}

#[test]
fn another_file_is_refused_and_not_kept() {
    let here = Box::new();
    let changed: &[u8] = b"another network";
    let message = here.refused(&Server::new(&here.file, &[Treatment::Instead(changed)]), None);
    assert!(message.contains(&hash(changed)) && message.contains(&here.sha256), "{message}");
    assert!(message.contains("nothing of it was kept") && !here.part().exists(), "{message}");
    let page = b"<!DOCTYPE html><html>Log in to this network</html>";
    let message = here.refused(&Server::new(&here.file, &[Treatment::Instead(page)]), None);
    assert!(message.contains("it is a web page, a portal or a proxy"), "{message}");
    let message = here.refused(&Server::new(&here.file, &[Treatment::Endless]), Some(here.file.len() as u64));
    assert!(message.contains("more came") && !here.part().exists(), "{message}");
    here.fetch(&Server::new(&here.file, &[Treatment::Well])).unwrap();
}

#[test]
fn refusals_name_the_address_and_the_remedy() {
    let here = Box::new();
    for (status, words) in
        [(404, "is not there"), (403, "who asks"), (503, "try again later"), (418, "--from")]
    {
        let server = Server::new(&here.file, &[Treatment::Status(status)]);
        let message = here.refused(&server, None);
        let address = format!("{}: the server answered {status}", server.url);
        assert!(message.starts_with(&address) && message.contains(words), "{message}");
        assert!(message.contains("--from"), "{message}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server { url: format!("http://{nobody}/network.onnx"), requests: Arc::default() };
    let message = here.refused(&server, None);
    assert!(message.contains("cannot be reached") && message.contains("HTTPS_PROXY"), "{message}");
}

#[test]
fn redirects_are_followed() {
    let here = Box::new();
    let server = Server::new(&here.file, &[Treatment::Redirect("/elsewhere/file"), Treatment::Well]);
    here.fetch(&server).unwrap();
    assert_eq!(server.requests()[1], "GET /elsewhere/file HTTP/1.1");
    fs::remove_file(here.target()).unwrap();
    let round = Server::new(&here.file, &[Treatment::Redirect("/again")]);
    let message = here.refused(&round, None);
    assert!(message.contains("redirect"), "{message}");
}

#[test]
fn a_file_comes_from_a_stick() {
    let (here, stick) = (Box::new(), tempfile::tempdir().unwrap());
    let target = here.target();
    let wanted = Wanted { sha256: &here.sha256, bytes: Some(here.file.len() as u64), target: &target };
    let message = take(stick.path(), wanted, &mut |_, _| ()).unwrap_err().to_string();
    assert!(message.contains("a folder without the file") && message.contains("stick mounted"), "{message}");
    let file = stick.path().join("network.onnx");
    fs::write(&file, &here.file[..here.file.len() - 1]).unwrap();
    let message = take(&file, wanted, &mut |_, _| ()).unwrap_err().to_string();
    assert!(
        message.contains("copy it to the stick again") && !target.exists() && !here.part().exists(),
        "{message}"
    );
    fs::write(&file, &here.file).unwrap();
    // A part that an earlier download left is not mixed with it.
    fs::create_dir_all(here.part().parent().unwrap()).unwrap();
    fs::write(here.part(), b"some bytes").unwrap();
    take(&file, wanted, &mut |_, _| ()).unwrap();
    assert_eq!(fs::read(&target).unwrap(), here.file);
    assert_eq!(fs::read(&file).unwrap(), here.file, "the stick keeps its own");
}

#[test]
fn another_file_of_the_name_and_a_second_process_are_named() {
    let here = Box::new();
    let server = Server::new(&here.file, &[Treatment::Well]);
    fs::create_dir_all(here.target().parent().unwrap()).unwrap();
    fs::write(here.target(), b"mine").unwrap();
    let message = here.fetch(&server).unwrap_err().to_string();
    assert!(
        message.contains("there is another file of this name") && message.contains("--output"),
        "{message}"
    );
    assert_eq!(fs::read(here.target()).unwrap(), b"mine");
    fs::remove_file(here.target()).unwrap();
    let target = here.target();
    let wanted = Wanted { sha256: &here.sha256, bytes: None, target: &target };
    let held = Part::open(wanted).unwrap();
    let error = here.fetch(&server).unwrap_err();
    assert!(matches!(error, DownloadError::Busy { .. }), "{error}");
    drop(held);
    here.fetch(&server).unwrap();
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let target = file.join("network.onnx");
    let wanted = Wanted { sha256: "00", bytes: None, target: &target };
    let message = take(Path::new("/dev/null"), wanted, &mut |_, _| ()).unwrap_err().to_string();
    assert!(message.contains("file") && message.contains("--output"), "{message}");
    // More than any disk has free.
    let target = folder.path().join("network.onnx");
    let wanted = Wanted { sha256: "00", bytes: Some(u64::MAX / 2), target: &target };
    let message =
        fetch("http://127.0.0.1:1/", wanted, Patience::default(), &mut |_, _| ()).unwrap_err().to_string();
    assert!(message.contains("bytes are free") && message.contains("another disk"), "{message}");
}
