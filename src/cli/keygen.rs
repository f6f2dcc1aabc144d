//! `wardwatch keygen`: makes this box's private key, and the request for its certificate.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::config::{self, Identity};
use base::ids::BoxId;
use base::text;

/// Arguments of `wardwatch keygen`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration that says which box this is, and where its key and certificate go.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// The box's id, instead of the configured one.
    #[arg(long = "box", value_name = "ID")]
    box_id: Option<BoxId>,
    /// Folder for key, request and certificate [default: where broker.key_file and broker.cert_file are]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Make a new key also where there is one. The certificate that goes with the old one is of no use any more.
    #[arg(long)]
    force: bool,
}

/// Paths of the three files.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    key: PathBuf,
    request: PathBuf,
    certificate: PathBuf,
}

/// Makes key and request, and prints the next steps. An existing key stays; without its request, that is made
/// again.
///
/// # Errors
/// A box without an id, an existing key with its request, or a disk error; then no incomplete file is left.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let identity = match config::identity(&args.config) {
        Ok(identity) => identity,
        Err(_) if args.box_id.is_some() && !args.config.exists() => Identity::default(),
        Err(problems) => return Err(problems.into()),
    };
    let places = Places::of(args, &identity);
    let Some(box_id) = args.box_id.clone().or(identity.box_id) else {
        bail!(
            "{} does not say which box this is: write id under [box], or give --box ID",
            args.config.display()
        );
    };
    let key = if !args.force && places.key.exists() {
        if places.request.exists() {
            bail!(
                "there is a key already, {}, and its request, {}; to make another key, which needs another \
                 certificate, add --force",
                places.key.display(),
                places.request.display()
            );
        }
        key_in(&places.key)?
    } else {
        let key = KeyPair::generate().context("cannot make a key")?;
        // A request must not lie beside a key that is not its own.
        remove(&places.request)?;
        write_whole(&places.key, key.serialize_pem().as_bytes(), 0o600, args.force)?;
        key
    };
    write_whole(&places.request, request(&box_id, &key)?.as_bytes(), 0o644, true)?;
    let folder = std::path::absolute(&args.config)?.parent().map(Path::to_owned).unwrap_or_default();
    print!("{}", places.what_next(&box_id, &folder));
    Ok(ExitCode::SUCCESS)
}

impl Places {
    fn of(args: &Args, identity: &Identity) -> Self {
        if let Some(out) = &args.out {
            return Self {
                key: out.join("box-key.pem"),
                request: out.join("box.csr"),
                certificate: out.join("box-cert.pem"),
            };
        }
        let config = std::path::absolute(&args.config).unwrap_or_else(|_| args.config.clone());
        let folder = config.parent().unwrap_or(Path::new(""));
        let certificate = identity.cert_file.clone().unwrap_or_else(|| folder.join("box-cert.pem"));
        Self {
            key: identity.key_file.clone().unwrap_or_else(|| folder.join("secrets/box-key.pem")),
            request: certificate.with_file_name("box.csr"),
            certificate,
        }
    }

    /// The next steps, for a configuration in `folder`.
    fn what_next(&self, box_id: &BoxId, folder: &Path) -> String {
        let [key, request, certificate] =
            [&self.key, &self.request, &self.certificate].map(|path| path.display());
        let written = config::written_name(folder, &self.key);
        let whose = match written.starts_with("credential:") {
            true => "stays on this box, readable by root alone: systemd hands it to the daemon",
            false => "stays on this box, and must be readable by the daemon's user alone",
        };
        format!(
            "key      {key}\n         {whose}\n\
             request  {request}\n         for box {box_id}, to be signed by the ward post's authority\n\n\
             What is left to do:\n\
             1. Send {request} to whoever runs the post's broker. It is no secret; the key never leaves the box.\n\
             2. Put the certificate that comes back at {certificate}, and the authority's ca.pem beside it\n\
             3. In the configuration, under [broker]:\n   \
                ca_file = \"ca.pem\"\n   \
                cert_file = \"{certificate}\"\n   \
                key_file = \"{written}\"\n\
             4. wardwatch check\n"
        )
    }
}

fn key_in(path: &Path) -> anyhow::Result<KeyPair> {
    let pem = text::read(path).with_context(|| format!("cannot read the key {}", path.display()))?;
    KeyPair::from_pem(&pem)
        .with_context(|| format!("{} is no private key; to make another one, add --force", path.display()))
}

/// A request (PKCS #10) in PEM: brokers take the common name, or the DNS name, for the user's name.
fn request(box_id: &BoxId, key: &KeyPair) -> anyhow::Result<String> {
    let mut params = CertificateParams::new(vec![box_id.to_string()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, box_id.as_str());
    params.serialize_request(key).and_then(|request| request.pem()).context("cannot make the request")
}

/// Writes a file of which a power cut leaves all or nothing; on the disk when it returns. Missing folders are
/// made, for their owner alone.
fn write_whole(path: &Path, content: &[u8], mode: u32, replace: bool) -> anyhow::Result<()> {
    let wrong = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(wrong)?;
    let mut name = path.file_name().with_context(wrong)?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || -> io::Result<()> {
        remove(&new)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        // Independent of the umask: the request is to be sent.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(content)?;
        file.sync_all()?;
        if replace {
            fs::rename(&new, path)?;
        } else {
            // Unlike a rename, fails where another process was faster.
            fs::hard_link(&new, path)?;
            fs::remove_file(&new)?;
        }
        File::open(folder)?.sync_all()
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.with_context(wrong)
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(
        |error| {
            if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
        },
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tempfile::TempDir;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(more: &[&str]) -> Args {
        Line::parse_from([&["keygen"], more].concat()).args
    }

    #[test]
    fn the_configuration_says_where_and_may_be_unfinished() {
        let place = TempDir::new().unwrap();
        let (config, folder) = (place.path().join("wardwatch.toml"), place.path());
        let places = |more: &[&str]| {
            let args = args(&[&["--config", config.to_str().unwrap()], more].concat());
            Places::of(&args, &config::identity(&config).unwrap())
        };
        fs::write(&config, "[box]\nid = \"box-7\"\nunknown = 1\n").unwrap();
        assert_eq!(config::identity(&config).unwrap().box_id.unwrap().as_str(), "box-7");
        assert_eq!(places(&[]).key, folder.join("secrets/box-key.pem"));
        assert_eq!(places(&[]).certificate, folder.join("box-cert.pem"));
        let broker = "[broker]\ncert_file = \"/etc/x/own.pem\"\nkey_file = \"own.key\"\n";
        fs::write(&config, broker).unwrap();
        let expected = Places {
            key: folder.join("own.key"),
            request: "/etc/x/box.csr".into(),
            certificate: "/etc/x/own.pem".into(),
        };
        assert_eq!(places(&[]), expected);
        assert_eq!(places(&["--out", "/media/stick"]).key, Path::new("/media/stick/box-key.pem"));
        fs::write(&config, "[broker]\nkey_file = \"credential:key\"\n").unwrap();
        assert_eq!(places(&[]).key, folder.join("secrets/box-key.pem"));
        fs::write(&config, "[broker]\nkey_file = \"credential:secrets_own.pem\"\n").unwrap();
        assert_eq!(places(&[]).key, folder.join("secrets/own.pem"), "from where the unit loads it");
        let box_id = "box-7".parse().unwrap();
        let said = places(&[]).what_next(&box_id, folder);
        assert!(said.contains("key_file = \"credential:secrets_own.pem\"\n"), "{said}");
        let elsewhere = places(&["--out", "/media/stick"]).what_next(&box_id, folder);
        assert!(elsewhere.contains("key_file = \"/media/stick/box-key.pem\"\n"), "{elsewhere}");
        fs::write(&config, "[box]\nid = \"Box 7\"\n").unwrap();
        assert_eq!(config::identity(&config).unwrap_err().0[0].key, "box.id");
    }

    #[test]
    fn a_key_is_private_whole_and_never_lost_by_accident() {
        let place = TempDir::new().unwrap();
        let out = place.path().join("new/folder");
        let with = |more: &[&str]| {
            let always = ["--config", "/nowhere.toml", "--box", "box-1", "--out", out.to_str().unwrap()];
            run(&args(&[&always, more].concat()))
        };
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        with(&[]).unwrap();
        let (key, request) = (read("box-key.pem"), read("box.csr"));
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"), "PKCS #8");
        let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("box-key.pem"), mode("box.csr")), (0o600, 0o644));
        assert!(with(&[]).unwrap_err().to_string().contains("--force"));
        assert_eq!((read("box-key.pem"), read("box.csr")), (key.clone(), request));

        // The power failed between the two.
        fs::remove_file(out.join("box.csr")).unwrap();
        fs::write(out.join("box-key.pem.new"), "half").unwrap();
        with(&[]).unwrap();
        assert_eq!(read("box-key.pem"), key);
        assert!(read("box.csr").starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        with(&["--force"]).unwrap();
        assert_ne!(read("box-key.pem"), key);
        let names = fs::read_dir(&out).unwrap().count();
        assert!(names <= 3, "{names} files");
        assert!(run(&args(&["--config", "/nowhere.toml"])).is_err());
    }
}
