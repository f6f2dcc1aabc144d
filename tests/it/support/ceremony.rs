//! The authority of a ward, made by the very commands of deploy/mosquitto/README.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wardlink::Identity;

const README: &str = include_str!("../../../deploy/mosquitto/README.md");

/// Makes key and request with `wardwatch keygen`. Returns the paths of the key and of the certificate to come.
pub fn keygen(box_id: &str, out: &Path) -> Identity {
    let output = Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .args(["keygen", "--config", "/nowhere.toml", "--box", box_id, "--out"])
        .arg(out)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("broker") && said.contains("box.csr") && said.contains("cert_file"), "{said}");
    Identity { cert_file: out.join("box-cert.pem"), key_file: out.join("box-key.pem") }
}

/// See the module. All its files lie in [`Ceremony::folder`].
pub struct Ceremony {
    place: TempDir,
}

impl Ceremony {
    /// The authority, the broker's certificate for localhost, and the post's.
    pub fn held() -> Self {
        let ceremony = Self { place: TempDir::new().unwrap() };
        run(&section("Once: the authority"), ceremony.place.path());
        run(&section("Once: the broker and the post"), &ceremony.folder());
        ceremony
    }

    pub fn folder(&self) -> PathBuf {
        self.place.path().join("ca")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn ca_file(&self) -> PathBuf {
        self.file("ca.pem")
    }

    pub fn post(&self) -> Identity {
        Identity { cert_file: self.file("post-cert.pem"), key_file: self.file("post-key.pem") }
    }

    /// A box with a key of its own and the authority's certificate.
    pub fn new_box(&self, box_id: &str) -> Identity {
        let serial = fs::read_to_string(self.file("serial")).unwrap();
        let out = self.place.path().join(format!("{box_id}-{}", serial.trim()));
        let identity = keygen(box_id, &out);
        self.sign(&out.join("box.csr"), &identity.cert_file);
        identity
    }

    /// Signs a box's request into `certificate`.
    pub fn sign(&self, request: &Path, certificate: &Path) {
        fs::copy(request, self.file("box.csr")).unwrap();
        run(&section("Each box"), &self.folder());
        fs::copy(self.file("box-cert.pem"), certificate).unwrap();
    }

    /// Revokes a box's certificate; the broker does not know yet.
    pub fn revoke(&self, box_id: &str) {
        let index = fs::read_to_string(self.file("index.txt")).unwrap();
        let of_box = index.lines().find(|line| line.ends_with(&format!("/CN={box_id}"))).unwrap();
        let serial = of_box.split('\t').nth(3).unwrap();
        let commands = section("A box that was stolen").replace("1002", serial);
        assert!(commands.contains("systemctl restart mosquitto"));
        run(&commands.replace("systemctl restart mosquitto", "true"), &self.folder());
    }
}

/// The commands below a heading.
fn section(heading: &str) -> String {
    let after = README.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("{heading}"));
    let section = after.split("\n## ").next().unwrap();
    section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

fn run(commands: &str, folder: &Path) {
    let output = Command::new("sh").args(["-ec", commands]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
}
