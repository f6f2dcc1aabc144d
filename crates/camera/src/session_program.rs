//! The program that is a stream's session, as the daemon starts it: with little of its environment,
//! and as another user where root asks for it.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::REGISTRY_VARIABLE;
use super::supervisor::VideoError;

/// Program and plugin list with which sessions are started.
#[derive(Debug, Clone)]
pub struct SessionProgram {
    /// The wardwatch binary.
    pub program: PathBuf,
    /// File that keeps GStreamer's list of plugins between sessions.
    pub registry: PathBuf,
    /// User and group of the sessions, where root starts them: a session that is taken over should not be root's.
    pub user: Option<(u32, u32)>,
}

impl SessionProgram {
    /// The running binary itself; also after an upgrade has replaced its file.
    pub fn current(registry: PathBuf) -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), registry, user: None }
    }

    /// The command that starts a session, or prepares for one.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("session").env_clear();
        // Variables that select and tune GStreamer's plugins; a session gets nothing else of the daemon's environment.
        let inherited = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            ["GST_", "LIBVA_", "LD_LIBRARY_", "RUST_", "GIO_", "SSL_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        command.envs(inherited);
        command.env(REGISTRY_VARIABLE, &self.registry).env("GST_REGISTRY_FORK", "no");
        // GIO would otherwise look for a desktop's settings, and complain about each folder that it may not make.
        command.env("GSETTINGS_BACKEND", "memory");
        // Ctrl-C goes to the daemon alone: it stops its sessions in order.
        command.stdout(Stdio::null()).process_group(0);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

/// Brings the list of plugins up to date and checks that none is missing. Blocks for seconds the first time.
pub fn prepare(program: &SessionProgram) -> Result<(), VideoError> {
    let mut command = program.command();
    command.arg("--prepare").stdin(Stdio::null()).stderr(Stdio::piped());
    let output = command
        .spawn()
        .and_then(Child::wait_with_output)
        .map_err(|source| VideoError::Spawn { program: program.program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(VideoError::NotReady(said.trim().to_owned()))
}
