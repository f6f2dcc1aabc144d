//! The sandbox of a session: no new privileges, no writing to the file system, no exec, no listening socket.
//!
//! Called by the session itself, before GStreamer is initialised and before a byte from the network is read. A part that
//! the kernel does not offer is reported, not fatal: a box without Landlock still records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use seccompiler::{SeccompAction, SeccompFilter};

/// Paths from which plugins, certificates, name resolution and the kernel's facts are read.
const READABLE: &[&str] =
    &["/usr", "/lib", "/lib64", "/etc", "/run/systemd/resolve", "/proc", "/sys", "/dev/null"];

/// Devices of hardware decoders, which the drivers read and write.
const DEVICES: &[&str] = &["/dev/dri", "/dev/dma_heap", "/dev/mpp_service", "/dev/rga"];

/// Applies every part of the sandbox that the kernel offers. `readable` are further files to read (a certificate, a file
/// source, the plugin registry). Returns the parts that could not be applied, in words.
pub(super) fn enter(readable: &[PathBuf], decodes: bool) -> Vec<String> {
    let mut not_applied = Vec::new();
    let mut note = |rule: &str, result: Result<(), String>| {
        if let Err(reason) = result {
            not_applied.push(format!("{rule}: {reason}"));
        }
    };
    // The daemon's death must not leave a session behind that holds a camera's only connection.
    note(
        "end with the daemon",
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| e.to_string()),
    );
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    note("no core dumps (they hold footage)", setrlimit(Resource::Core, no_core).map_err(|e| e.to_string()));
    note("file system read-only, no TCP port (Landlock)", file_system(readable, decodes));
    note("no exec, no listening, no tampering (seccomp)", system_calls());
    not_applied
}

/// The sandbox self-test: applies the sandbox to this process and tries to break each rule. Returns each attempt, with
/// `true` if it was refused. `Err` holds the parts that this machine does not offer.
pub fn try_sandbox() -> Result<Vec<(&'static str, bool)>, Vec<String>> {
    let not_applied = enter(&[], false);
    if !not_applied.is_empty() {
        return Err(not_applied);
    }
    let scratch = std::env::temp_dir().join(format!("wardwatch-sandbox-{}", std::process::id()));
    Ok(vec![
        ("write", std::fs::write(&scratch, b"").is_err()),
        ("execute", std::process::Command::new("/bin/true").status().is_err()),
        ("listen", std::net::TcpListener::bind("127.0.0.1:0").is_err()),
        ("read /usr", std::fs::read_dir("/usr").is_err()),
    ])
}

/// Applies Landlock: reads in the named paths, no writes; no TCP port may be bound, no signal sent out.
fn file_system(readable: &[PathBuf], decodes: bool) -> Result<(), String> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let devices = if decodes { device_paths() } else { Vec::new() };
    let with_rights = |paths: Vec<PathBuf>, rights| {
        paths.into_iter().filter_map(move |path| {
            let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(ABI::V5) };
            Some(Ok::<_, landlock::RulesetError>(PathBeneath::new(PathFd::new(&path).ok()?, rights)))
        })
    };
    let read_paths = READABLE.iter().map(PathBuf::from).chain(readable.iter().cloned()).collect();
    let device_rights = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::BindTcp))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(with_rights(read_paths, read)))
        .and_then(|ruleset| ruleset.add_rules(with_rights(devices, device_rights)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| error.to_string())?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => Err("this kernel's Landlock knows only a part of it".to_owned()),
        RulesetStatus::NotEnforced => Err("this kernel has no Landlock".to_owned()),
    }
}

/// Devices that exist here: the folders above and every V4L2 and media device.
fn device_paths() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = DEVICES.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
    for entry in std::fs::read_dir("/dev").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("video") || name.starts_with("media") {
            paths.push(Path::new("/dev").join(name.as_ref()));
        }
    }
    paths
}

/// Answers calls that a decoder never needs with EPERM. A list of denied calls, not of allowed ones: drivers of hardware
/// decoders differ too much for the latter.
fn system_calls() -> Result<(), String> {
    let architecture = std::env::consts::ARCH.try_into().map_err(|_| "not on this processor".to_owned())?;
    let denied = [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
        libc::SYS_open_by_handle_at,
    ];
    // libc's call numbers are c_long, which is i64 wherever seccompiler compiles a filter.
    #[allow(clippy::useless_conversion, reason = "c_long is i32 on 32-bit targets")]
    let rules: BTreeMap<i64, _> = denied.into_iter().map(|call| (call.into(), Vec::new())).collect();
    let eperm = u32::try_from(libc::EPERM).unwrap_or(1);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(eperm), architecture)
        .map_err(|error| error.to_string())?;
    let program: seccompiler::BpfProgram =
        filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}
