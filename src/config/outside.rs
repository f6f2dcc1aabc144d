//! References of the configuration to the outside: addresses, files, passwords.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::reader::Reader;
use base::secret::{Credentials, Secret};
use base::text;
use program::config::{self, Written, credential_name};

/// Prefix of credentials from `LoadCredential=secrets:/etc/wardwatch/secrets` in the unit, which hands over every file of that
/// folder under its name with this prefix.
pub(super) const UNIT_PREFIX: &str = "secrets_";
/// That folder, beside the configuration.
pub(super) const SECRETS: &str = "secrets";

/// The configuration as written, with the other inputs of its check.
pub(super) struct Checker<'a> {
    /// Collects the problems.
    pub(super) written: &'a mut Written,
    pub(super) outside: &'a Outside,
}

/// Surroundings of a configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Outside {
    /// Folder of the unit's credentials, set by systemd.
    pub(super) credentials_directory: Option<PathBuf>,
    /// The user for whom the files must be readable.
    pub(super) reader: Reader,
}

impl Outside {
    /// That of this process, with the files read by `reader`.
    pub(super) fn of_process(reader: Reader) -> Self {
        Self { credentials_directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from), reader }
    }
}

/// An address, taken apart.
pub(super) struct Address<'t> {
    /// In lower case, without `://`.
    pub(super) scheme: String,
    /// The part after `://`.
    pub(super) rest: &'t str,
    /// Host and port; the host is empty for `file`.
    pub(super) host: &'t str,
    pub(super) port: Option<u16>,
}

impl Checker<'_> {
    /// Notes a problem with the key at `path`.
    pub(super) fn wrong(&mut self, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.written.wrong(path, what, remedy);
    }

    /// Notes a warning about the key at `path`.
    pub(super) fn doubt(&mut self, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.written.doubt(path, what, remedy);
    }

    /// The id; an invalid one is noted as a problem.
    pub(super) fn id<T: std::str::FromStr>(&mut self, path: &str, text: &str) -> Option<T> {
        let id = text.parse().ok();
        if id.is_none() {
            self.wrong(path, format!("{text:?} is not a valid id"), "use 1 to 32 of a-z, 0-9 and -");
        }
        id
    }

    /// An address with one of `schemes`. A problem never shows more of it than the scheme, since the rest may contain a
    /// password.
    pub(super) fn address<'t>(&mut self, path: &str, text: &'t str, schemes: &[&str]) -> Option<Address<'t>> {
        let examples = schemes.iter().map(|scheme| format!("{scheme}://...")).collect::<Vec<_>>().join(", ");
        let Some((scheme, rest)) = text.split_once("://") else {
            self.wrong(path, "is no address", format!("write it as one of: {examples}"));
            return None;
        };
        let scheme = scheme.to_ascii_lowercase();
        if !schemes.contains(&scheme.as_str()) {
            let shown =
                if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) { &scheme } else { "this" };
            self.wrong(
                path,
                format!("the scheme {shown}:// is not supported"),
                format!("use one of: {examples}"),
            );
            return None;
        }
        if scheme == "file" {
            return Some(Address { scheme, rest, host: "", port: None });
        }
        if rest.contains('@') {
            let remedy =
                "write them as user = \"...\" and password_file = \"...\" (an @ in a path is written %40)";
            self.wrong(path, "has a user or a password in it", remedy);
            return None;
        }
        match host_and_port(rest) {
            Some((host, port)) => Some(Address { scheme, rest, host, port }),
            None => {
                let remedy =
                    format!("write {scheme}://HOST or {scheme}://HOST:PORT, an IPv6 address in brackets");
                self.wrong(path, "has no valid host and port", remedy);
                None
            }
        }
    }

    /// The path that `text` means: of a credential, or relative to the folder of the file that names it.
    pub(super) fn path(&mut self, key: &str, text: &str) -> Option<PathBuf> {
        let Some(name) = credential_name(text) else {
            return Some(self.written.folder(key).join(text));
        };
        match &self.outside.credentials_directory {
            Some(_) if name.is_empty() || name.contains('/') => {
                self.wrong(
                    key,
                    "names no credential",
                    "write credential:NAME, with the NAME of LoadCredential=",
                );
                None
            }
            Some(directory) => Some(directory.join(name)),
            // Run by hand, as root: the folder from which the unit loads it.
            None if secret_name(text).is_some() => {
                secret_name(text).map(|name| self.written.base().join(SECRETS).join(name))
            }
            None => {
                let remedy = format!(
                    "write \"credential:{UNIT_PREFIX}NAME\" for the file NAME in {}; for another one, add \
                     LoadCredential={name}:FILE to the unit, and set CREDENTIALS_DIRECTORY to check by hand",
                    self.written.base().join(SECRETS).display()
                );
                self.wrong(key, format!("there are no credentials, so no {name:?}"), remedy);
                None
            }
        }
    }

    /// The path of an existing file.
    pub(super) fn file(&mut self, key: &str, text: &str) -> Option<PathBuf> {
        let (path, _) = self.metadata(key, text, false)?;
        self.is_readable(key, text, &path, false).then_some(path)
    }

    /// The path of an existing file that is not readable by everybody.
    pub(super) fn private_file(&mut self, key: &str, text: &str) -> Option<PathBuf> {
        let (path, metadata) = self.metadata(key, text, true)?;
        if metadata.permissions().mode() & 0o004 != 0 {
            let remedy = format!("chmod o-rwx {}", path.display());
            self.wrong(key, format!("{} can be read by everybody", path.display()), remedy);
            return None;
        }
        self.is_readable(key, text, &path, true).then_some(path)
    }

    /// True if the daemon may read the file at `path`, written as `text`; else a problem is noted. A `secret` is not to be
    /// opened to others.
    pub(super) fn is_readable(&mut self, key: &str, text: &str, path: &Path, secret: bool) -> bool {
        // The unit's credential is read by systemd, as root.
        let is_handed_over = self.outside.credentials_directory.is_none() && secret_name(text).is_some();
        let reader = if is_handed_over { &Reader::Process } else { &self.outside.reader };
        let Err(error) = reader.may_read(path) else { return true };
        let what = format!("{} cannot be read by {}: {error}", path.display(), reader.name());
        let remedy = self.how_to_open(text, path, secret);
        self.wrong(key, what, remedy);
        false
    }

    /// Notes the files of the configuration itself that the daemon may not read.
    pub(super) fn readable_files(&mut self) {
        for (index, file) in self.written.files().to_vec().into_iter().enumerate() {
            if let Reader::User(_) = &self.outside.reader
                && let Err(error) = self.outside.reader.may_read(&file)
            {
                let what = format!("cannot be read by {}: {error}", self.outside.reader.name());
                let remedy = self.how_to_open("", &file, false);
                self.written.wrong_file(index, what, remedy);
            }
        }
    }

    /// Notes an existing folder in which the daemon may make no files.
    pub(super) fn writable_folder(&mut self, key: &str, folder: &Path) {
        let reader = &self.outside.reader;
        if let (Reader::User(_), true, Err(error)) = (reader, folder.is_dir(), reader.may_write_in(folder)) {
            let what = format!("{} cannot be written by {}: {error}", folder.display(), reader.name());
            let remedy = format!("chown -R {}: {}", reader.login(), folder.display());
            self.wrong(key, what, remedy);
        }
    }

    /// The remedy for a file that the daemon may not read.
    fn how_to_open(&self, text: &str, path: &Path, secret: bool) -> String {
        let secrets = self.written.base().join(SECRETS);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let hands_over = format!("the unit hands the files of {} to the daemon", secrets.display());
        if secret_name(text).is_some() {
            return "run this as root: the folder of the secrets is root's alone".to_owned();
        }
        if path.parent() == Some(&secrets) {
            return format!("write \"credential:{UNIT_PREFIX}{name}\": {hands_over}");
        }
        if secret {
            let secrets = secrets.display();
            return format!(
                "move it into {secrets}, and write \"credential:{UNIT_PREFIX}{name}\": {hands_over}"
            );
        }
        match self.outside.reader.barrier(path) {
            file if file == path => format!("chmod a+r {}", path.display()),
            folder => format!("chmod a+x {}, or put the file elsewhere", folder.display()),
        }
    }

    /// The remedy for a file that is not there.
    fn how_to_make(&self, text: &str) -> String {
        let Some(name) = secret_name(text) else { return "put it there, or correct the path".to_owned() };
        let file = self.written.base().join(SECRETS).join(name);
        match self.outside.credentials_directory {
            // systemd loads the folder when the unit starts.
            Some(_) => format!("write it to {}, then: systemctl restart wardwatch", file.display()),
            None => format!("write it: (umask 077; cat >{})", file.display()),
        }
    }

    /// The user and password of `table`, where it has them.
    pub(super) fn credentials(
        &mut self,
        table: &str,
        user: Option<String>,
        password_file: Option<&str>,
    ) -> Option<Credentials> {
        let (user_key, password_key) = (format!("{table}.user"), format!("{table}.password_file"));
        let password = password_file.and_then(|text| self.password(&password_key, text));
        match (self.written.is_written(&user_key), self.written.is_written(&password_key)) {
            (true, false) => {
                let remedy = "add password_file = \"credential:secrets_NAME\", for the file NAME in the folder of the secrets";
                self.wrong(&user_key, "has no password_file beside it", remedy);
            }
            (false, true) => self.wrong(&password_key, "has no user beside it", "add user"),
            _ => {}
        }
        Some(Credentials { user: user?, password: password? })
    }

    fn password(&mut self, key: &str, text: &str) -> Option<Secret> {
        let path = self.private_file(key, text)?;
        let show = path.display();
        match config::password(&path) {
            Ok(password) if password.reveal().is_empty() => {
                self.wrong(key, format!("{show} is empty"), "write the password into it, and nothing else");
                None
            }
            Ok(password) => Some(password),
            Err(error) => {
                let remedy = text::remedy(&error).unwrap_or("write one line of UTF-8 text into it");
                self.wrong(key, format!("{show} cannot be read: {error}"), remedy);
                None
            }
        }
    }

    fn metadata(&mut self, key: &str, text: &str, secret: bool) -> Option<(PathBuf, std::fs::Metadata)> {
        let path = self.path(key, text)?;
        let show = path.display();
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => return Some((path, metadata)),
            Ok(_) => self.wrong(key, format!("{show} is not a file"), "name a file"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let remedy = self.how_to_make(text);
                self.wrong(key, format!("there is no file {show}"), remedy);
            }
            Err(error) => {
                let remedy = self.how_to_open(text, &path, secret);
                let what = format!("{show} cannot be read by {}: {error}", self.outside.reader.name());
                self.wrong(key, what, remedy);
            }
        }
        None
    }
}

/// NAME, where `text` is `credential:secrets_NAME`: the file NAME in the folder of the secrets.
pub(super) fn secret_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("credential:")?.strip_prefix(UNIT_PREFIX)?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// The host and port at the start of the part after `://`.
fn host_and_port(rest: &str) -> Option<(&str, Option<u16>)> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some("")).map(Some)?)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty()
        || !host.chars().all(|c| c.is_alphanumeric() || "-._:".contains(c))
        || rest.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return None;
    }
    match port {
        None | Some("") => Some((host, None)),
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn hosts_and_ports() {
        for (rest, expected) in [
            ("post.example", Some(("post.example", None))),
            ("192.168.1.20:554/main?x=1", Some(("192.168.1.20", Some(554)))),
            ("[::1]:1883", Some(("::1", Some(1883)))),
            ("[fe80::1]/x", Some(("fe80::1", None))),
            ("", None),
            (":554", None),
            ("host:0", None),
            ("host:port", None),
            ("host:70000", None),
            ("::1", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[nonsense]", None),
            ("ho st", None),
            ("host/a b", None),
        ] {
            assert_eq!(host_and_port(rest), expected, "{rest}");
        }
    }
}
