//! The sandbox of a session: no new privileges, no writing to the file system, no process of its own, no listening socket.
//!
//! Called by the session itself, before GStreamer is initialised and before a byte from the network is read. A part that
//! the kernel does not offer is reported, not fatal: a box without Landlock still records.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{
    Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit, test_kill_process,
};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

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
    note("no exec, no further process, no listening, no tampering (seccomp)", system_calls());
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
    // The answer of the filter, not of the one that refuses the program.
    let fork = Command::new("/bin/false").spawn().map_err(|error| error.raw_os_error());
    // Comes back only where it is refused.
    let refused = Command::new("/bin/false").exec();
    Ok(vec![
        ("write", std::fs::write(&scratch, b"").is_err()),
        ("execute", refused.kind() == std::io::ErrorKind::PermissionDenied),
        ("start a process", fork.is_err_and(|number| number == Some(libc::ENOSYS))),
        ("signal the daemon", getppid().is_some_and(|parent| test_kill_process(parent).is_err())),
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

/// A filter's calls, each with the rules under which it is answered; without rules, always.
type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Answers calls that a decoder never needs with an error. A list of denied calls, not of allowed ones: drivers of hardware
/// decoders differ too much for the latter.
fn system_calls() -> Result<(), String> {
    refuse(tampering()?, libc::EPERM)?;
    // The C library makes threads another way where clone3 is not there.
    refuse(processes()?, libc::ENOSYS)
}

fn refuse(calls: Calls, errno: i32) -> Result<(), String> {
    let architecture = std::env::consts::ARCH.try_into().map_err(|_| "not on this processor".to_owned())?;
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, answer, architecture)
        .map_err(|error| error.to_string())?;
    let program: seccompiler::BpfProgram =
        filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

/// Calls that make a process, which would outlive the session; threads are allowed.
fn processes() -> Result<Calls, String> {
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let no_thread = rule(SeccompCmpOp::MaskedEq(thread), SeccompCmpArgLen::Qword, 0)?;
    let mut calls =
        Calls::from([(number(libc::SYS_clone3), Vec::new()), (number(libc::SYS_clone), vec![no_thread])]);
    #[cfg(target_arch = "x86_64")]
    calls.extend([(number(libc::SYS_fork), Vec::new()), (number(libc::SYS_vfork), Vec::new())]);
    Ok(calls)
}

/// Calls that run programs, wait for connections, reach into other processes, or change the machine.
fn tampering() -> Result<Calls, String> {
    const DENIED: [libc::c_long; 41] = [
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
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_send_signal,
    ];
    let own = u64::from(std::process::id());
    let mut calls: Calls = DENIED.into_iter().map(|call| (number(call), Vec::new())).collect();
    // A process aborts by a signal to itself.
    calls.insert(number(libc::SYS_tgkill), vec![rule(SeccompCmpOp::Ne, SeccompCmpArgLen::Dword, own)?]);
    // Its own limits are those of process 0, too.
    let others = SeccompRule::new(vec![
        condition(SeccompCmpOp::Ne, SeccompCmpArgLen::Dword, own)?,
        condition(SeccompCmpOp::Ne, SeccompCmpArgLen::Dword, 0)?,
    ])
    .map_err(|error| error.to_string())?;
    calls.insert(number(libc::SYS_prlimit64), vec![others]);
    Ok(calls)
}

/// Holds where the first argument compares so.
fn rule(compares: SeccompCmpOp, length: SeccompCmpArgLen, value: u64) -> Result<SeccompRule, String> {
    SeccompRule::new(vec![condition(compares, length, value)?]).map_err(|error| error.to_string())
}

fn condition(
    compares: SeccompCmpOp,
    length: SeccompCmpArgLen,
    value: u64,
) -> Result<SeccompCondition, String> {
    SeccompCondition::new(0, length, compares, value).map_err(|error| error.to_string())
}

/// A call's number: libc's is a c_long, which is i64 wherever seccompiler compiles a filter.
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::useless_conversion, reason = "c_long is i32 on 32-bit targets")
)]
fn number(call: libc::c_long) -> i64 {
    call.into()
}
