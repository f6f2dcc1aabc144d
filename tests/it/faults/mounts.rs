//! Mounts and programs of a scenario, which end with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::wait_until;

const PATIENCE: Duration = Duration::from_secs(10);

/// Returns true if this is root and `tools` are there; otherwise prints the reason for skipping.
pub fn ready(tools: &[&str]) -> bool {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: mounting needs root");
        return false;
    }
    let folders = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_there = |tool: &str| folders.split(':').any(|folder| Path::new(folder).join(tool).exists());
    let missing: Vec<&str> = tools.iter().copied().filter(|tool| !is_there(tool)).collect();
    if !missing.is_empty() {
        eprintln!("skipped: {missing:?} missing (scripts/setup packages.faults.debian)");
    }
    if !Path::new("/dev/loop-control").exists() || !Path::new("/dev/fuse").exists() {
        eprintln!("skipped: this kernel has no loop devices or no FUSE");
        return false;
    }
    missing.is_empty()
}

/// Runs a program to its end. Returns its output, or an error with its complaint.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output =
        Command::new(program).args(arguments).env("PATH", path).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A folder in memory where there is one, so that writes to its "disks" cost no time.
pub fn workplace() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// An empty ext4 in a file, without work left for after the first mount.
pub fn ext4(image: &Path, bytes: u64, options: &[&str]) {
    std::fs::File::create(image).unwrap().set_len(bytes).unwrap();
    let mut arguments = vec!["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
    arguments.extend(options);
    arguments.push(image.to_str().unwrap());
    run("mkfs.ext4", &arguments).unwrap();
}

/// A mounted file system, with its loop device where it has one.
pub struct Mount {
    folder: TempDir,
    device: Option<String>,
}

impl Mount {
    /// Mounts a file that holds a file system.
    pub fn image(image: &Path) -> Result<Self, String> {
        Self::device(run("losetup", &["--find", "--show", "--direct-io=on", image.to_str().unwrap()])?, "rw")
    }

    /// Mounts a file that another program serves: one write after the other. (A FUSE export of qemu before 10.1 mixes up
    /// the bytes of two writes that come at once.)
    pub fn slowly(image: &Path, options: &str) -> Result<Self, String> {
        Self::device(
            run("losetup", &["--find", "--show", "--direct-io=off", image.to_str().unwrap()])?,
            options,
        )
    }

    fn device(device: String, options: &str) -> Result<Self, String> {
        let mount = Self { folder: TempDir::new().unwrap(), device: Some(device.clone()) };
        run("mount", &["-o", options, &device, mount.folder.path().to_str().unwrap()])?;
        Ok(mount)
    }

    /// A file system in memory.
    pub fn tmpfs(options: &str) -> Result<Self, String> {
        let mount = Self { folder: TempDir::new().unwrap(), device: None };
        run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", mount.folder.path().to_str().unwrap()])?;
        Ok(mount)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let folder = self.path().to_str().unwrap();
        // It is not mounted if mounting failed, and still in use if a child died a moment ago.
        for _ in 0..50 {
            if run("mountpoint", &["-q", folder]).is_err() || run("umount", &[folder]).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(device) = &self.device {
            let _ = run("losetup", &["--detach", device]);
        }
    }
}

/// A program that runs beside the scenario. Asked to end when dropped.
pub struct Beside(Child);

impl Beside {
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self(
            Command::new(program)
                .args(arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.0),
            rustix::process::Signal::TERM,
        );
        let _ = self.0.wait();
    }
}

/// A block device in a file whose every write and flush is logged.
pub struct LoggedDisk {
    /// Kept until the disk is dropped: the export ends with it.
    _exporter: Beside,
    export: PathBuf,
}

impl LoggedDisk {
    /// Exports `image`. Writes to the export go to `image`, and to `log`.
    pub fn start(place: &Path, image: &Path, log: &Path) -> Self {
        std::fs::File::create(log).unwrap();
        let export = place.join("export");
        std::fs::File::create(&export).unwrap();
        let block_device = |options: &str| format!("--blockdev={options}");
        let exporter = Beside::start(
            "qemu-storage-daemon",
            &[
                &block_device(&format!("driver=file,node-name=disk,filename={}", image.display())),
                &block_device(&format!("driver=file,node-name=log,filename={}", log.display())),
                &block_device("driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512"),
                &format!(
                    "--export=type=fuse,id=export,node-name=logged,mountpoint={},writable=on,allow-other=off",
                    export.display()
                ),
            ],
        );
        wait_until("the disk is exported", PATIENCE, || {
            std::fs::metadata(&export).is_ok_and(|export| export.len() > 0)
        });
        Self { _exporter: exporter, export }
    }

    pub fn path(&self) -> &Path {
        &self.export
    }
}
