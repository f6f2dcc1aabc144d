//! Debian's Chromium without a window, driven over the DevTools protocol through a pipe: messages end with a zero byte.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program.
const PROGRAM: &str = "/usr/bin/chromium";
/// Time within which the browser does what it is told.
const PATIENCE: Duration = Duration::from_secs(60);
/// Messages of the browser that may wait.
const WAITING_MAX: usize = 10_000;

/// A browser with one profile.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    next: u64,
    _profile: TempDir,
}

/// One page of it.
pub struct Tab {
    target: Value,
    session: String,
    /// Texts that the page wrote to the console as errors, and exceptions of its scripts.
    pub errors: Vec<String>,
}

/// True if there is a browser; prints why a test is skipped without it.
pub fn is_installed() -> bool {
    let is_there = Path::new(PROGRAM).exists();
    if !is_there {
        eprintln!("skipped: {PROGRAM} is missing; `scripts/setup` installs it");
    }
    is_there
}

impl Browser {
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The browser reads commands from descriptor 3 and answers on 4.
        let line = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
        let mut child = Command::new("sh")
            .args([
                "-c",
                line,
                PROGRAM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--remote-debugging-pipe",
                "--no-first-run",
                "--hide-scrollbars",
                "--disable-background-networking",
            ])
            .arg("--autoplay-policy=document-user-activation-required")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, messages) = sync_channel(WAITING_MAX);
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        Self { child, input, messages, next: 0, _profile: profile }
    }

    /// Opens a page of this size in CSS pixels.
    pub fn open(&mut self, address: &str, width: u32, height: u32) -> Tab {
        let mut tab = self.attach(json!({ "url": "about:blank" }));
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.ask(&mut tab, "Emulation.setDeviceMetricsOverride", size);
        self.go(&mut tab, address);
        tab
    }

    /// Opens a page in a window of its own that shares neither cookies nor locks with others. It has this cookie, and the script
    /// runs before those of the page.
    pub fn open_apart(&mut self, address: &str, cookie: (&str, &str), script: &str) -> Tab {
        let context = self.call(None, "Target.createBrowserContext", json!({}))["browserContextId"].clone();
        let cookies = json!([{ "name": cookie.0, "value": cookie.1, "url": address }]);
        self.call(None, "Storage.setCookies", json!({ "browserContextId": context, "cookies": cookies }));
        let target = json!({ "url": "about:blank", "browserContextId": context, "newWindow": true });
        let mut tab = self.attach(target);
        self.ask(&mut tab, "Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
        let size = json!({ "width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.ask(&mut tab, "Emulation.setDeviceMetricsOverride", size);
        // As if its window were in front: keys need the focus.
        self.ask(&mut tab, "Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        self.go(&mut tab, address);
        tab
    }

    /// Makes a page, and listens to it.
    fn attach(&mut self, target: Value) -> Tab {
        let target = self.call(None, "Target.createTarget", target)["targetId"].clone();
        let session = self.session(&target);
        let mut tab = Tab { target, session, errors: Vec::new() };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.ask(&mut tab, domain, json!({}));
        }
        tab
    }

    fn session(&mut self, target: &Value) -> String {
        let attach = json!({ "targetId": target, "flatten": true });
        self.call(None, "Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned()
    }

    /// Opens another tab in front of this one, in the same window, and leaves it alone: the browser treats it as one that nobody
    /// looks at.
    pub fn cover(&mut self, tab: &mut Tab) {
        self.until(tab, "!document.hidden");
        self.ask(tab, "Emulation.setFocusEmulationEnabled", json!({ "enabled": false }));
        let found = self.call(None, "Target.getTargetInfo", json!({ "targetId": tab.target }));
        let context = &found["targetInfo"]["browserContextId"];
        let cover = json!({ "url": "about:blank", "browserContextId": context });
        let cover = self.call(None, "Target.createTarget", cover)["targetId"].clone();
        self.call(None, "Target.activateTarget", json!({ "targetId": cover }));
        self.until(tab, "document.hidden");
        self.call(None, "Target.detachFromTarget", json!({ "sessionId": tab.session }));
    }

    /// Listens again to a page that was covered; it stays so.
    pub fn look_again(&mut self, tab: &mut Tab) {
        tab.session = self.session(&tab.target);
    }

    /// Goes to an address, and waits for the page.
    pub fn go(&mut self, tab: &mut Tab, address: &str) {
        self.ask(tab, "Page.navigate", json!({ "url": address }));
        self.until(tab, "document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Value of an expression; promises are awaited.
    pub fn value(&mut self, tab: &mut Tab, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.ask(tab, "Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, tab: &mut Tab, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        // A page that is being left has no context for a moment.
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        while self.ask(tab, "Runtime.evaluate", asked.clone())["result"]["value"] != json!(true) {
            assert!(Instant::now() < deadline, "waited in vain for {expression}; errors: {:?}", tab.errors);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key, as a person does.
    pub fn key(&mut self, tab: &mut Tab, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            _ => key.to_ascii_uppercase().as_bytes()[0].into(),
        };
        let text = if key == "Enter" {
            "\r"
        } else if key.len() == 1 {
            key
        } else {
            ""
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.ask(tab, "Input.dispatchKeyEvent", event);
        }
    }

    /// Types a text into the element that has the focus.
    pub fn write(&mut self, tab: &mut Tab, text: &str) {
        self.ask(tab, "Input.insertText", json!({ "text": text }));
    }

    /// The page as a PNG.
    pub fn picture(&mut self, tab: &mut Tab) -> Vec<u8> {
        let answer = self.ask(tab, "Page.captureScreenshot", json!({ "format": "png" }));
        BASE64.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// A command to a page.
    pub fn ask(&mut self, tab: &mut Tab, method: &str, parameters: Value) -> Value {
        let session = tab.session.clone();
        let number = self.send(Some(&session), method, parameters);
        loop {
            let message = self.hear(method);
            if message["sessionId"] == json!(session) {
                note(&message, &mut tab.errors);
            }
            if message["id"] == json!(number) {
                return message["result"].clone();
            }
        }
    }

    fn call(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let number = self.send(session, method, parameters);
        loop {
            let message = self.hear(method);
            if message["id"] == json!(number) {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    fn send(&mut self, session: Option<&str>, method: &str, parameters: Value) -> u64 {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).unwrap();
        self.input.flush().unwrap();
        self.next
    }

    fn hear(&self, method: &str) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("the browser does not answer {method}"))
    }
}

/// Keeps errors of the console and of scripts.
fn note(message: &Value, errors: &mut Vec<String>) {
    let parameters = &message["params"];
    match message["method"].as_str() {
        Some("Runtime.exceptionThrown") => errors.push(parameters["exceptionDetails"].to_string()),
        Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
            errors.push(parameters["args"].to_string())
        }
        Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
            errors.push(parameters["entry"].to_string())
        }
        _ => {}
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
