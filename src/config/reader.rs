//! The user who reads the files of a configuration: the process's own, or, where root checks a box, the daemon's.
//!
//! The kernel answers, on a thread that has the user's ids for a moment: folders above, access lists and groups count as they
//! will for the daemon. Changes nothing. `check` and `doctor` choose the user; `outside` asks.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Name of the daemon's user in the unit.
const DAEMON: &str = "wardwatch";

/// The user for whom files must be readable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reader {
    /// This process.
    #[default]
    Process,
    /// Another user, for whom root asks.
    User(User),
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, or the number of one that has none.
    name: String,
    uid: u32,
    gid: u32,
    /// Further groups.
    groups: Vec<u32>,
}

/// There is no such user.
#[derive(Debug, thiserror::Error)]
#[error("there is no user {0:?} on this machine; name one of /etc/passwd, or give a number")]
pub struct UnknownUser(String);

impl Reader {
    /// The daemon's user where root asks and this machine has it; else this process.
    pub fn daemon() -> Self {
        match rustix::process::geteuid().is_root() {
            true => User::named(DAEMON).map_or(Self::Process, Self::User),
            false => Self::Process,
        }
    }

    /// The user of this name or number.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn named(text: &str) -> Result<Self, UnknownUser> {
        let numbered = || {
            let number = text.parse().ok()?;
            Some(User { name: format!("user {number}"), uid: number, gid: number, groups: Vec::new() })
        };
        User::named(text).or_else(numbered).map(Self::User).ok_or_else(|| UnknownUser(text.to_owned()))
    }

    /// User and group, where it is another than this process's.
    pub fn ids(&self) -> Option<(u32, u32)> {
        match self {
            Self::Process => None,
            Self::User(user) => Some((user.uid, user.gid)),
        }
    }

    /// The user, for a sentence.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Process => "this user".to_owned(),
            Self::User(user) => format!("the daemon's user {}", user.name),
        }
    }

    /// The user's name, for a command.
    pub(super) fn login(&self) -> &str {
        match self {
            Self::Process => DAEMON,
            Self::User(user) => &user.name,
        }
    }

    /// Succeeds where the user may read `path`.
    pub(super) fn may_read(&self, path: &Path) -> io::Result<()> {
        self.access(path, Access::READ_OK)
    }

    /// Succeeds where the user may make files in `folder`.
    pub(super) fn may_write_in(&self, folder: &Path) -> io::Result<()> {
        self.access(folder, Access::WRITE_OK | Access::EXEC_OK)
    }

    /// The file or folder that keeps the user from `path`: the first folder above it that cannot be entered, or itself.
    pub(super) fn barrier(&self, path: &Path) -> PathBuf {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).filter(|folder| folder.is_dir()).collect();
        folders.reverse();
        let closed = folders.into_iter().find(|folder| self.access(folder, Access::EXEC_OK).is_err());
        closed.unwrap_or(path).to_owned()
    }

    fn access(&self, path: &Path, access: Access) -> io::Result<()> {
        let Self::User(user) = self else { return Ok(rustix::fs::access(path, access)?) };
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                user.take_over_this_thread()?;
                Ok(rustix::fs::access(path, access)?)
            });
            asked.join().unwrap_or_else(|_| Err(io::Error::other("the thread that asks has panicked")))
        })
    }
}

impl User {
    fn named(name: &str) -> Option<Self> {
        let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
        let group = std::fs::read_to_string("/etc/group").unwrap_or_default();
        Self::of_tables(name, &passwd, &group)
    }

    /// The user by the lines of passwd(5) and group(5).
    fn of_tables(name: &str, passwd: &str, group: &str) -> Option<Self> {
        let user: Vec<&str> =
            passwd.lines().map(|line| line.split(':').collect()).find(|user: &Vec<&str>| user[0] == name)?;
        let [uid, gid] = [user.get(2)?.parse().ok()?, user.get(3)?.parse().ok()?];
        let mut groups = Vec::new();
        for line in group.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [_, _, number, members] = fields.as_slice()
                && members.split(',').any(|member| member == name)
            {
                groups.push(number.parse().ok()?);
            }
        }
        Some(Self { name: name.to_owned(), uid, gid, groups })
    }

    /// Gives this thread, and no other, the user's ids. There is no way back.
    fn take_over_this_thread(&self) -> io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        Ok(set_thread_res_uid(uid, uid, uid)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use super::*;

    #[test]
    fn a_user_has_the_groups_that_list_it() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nwardwatch:x:990:980:Box:/:/usr/sbin/nologin\n";
        let group = "root:x:0:\nvideo:x:44:somebody,wardwatch\nrender:x:105:wardwatch\nnear:x:7:wardwatch2\n";
        let user = User::of_tables("wardwatch", passwd, group).unwrap();
        assert_eq!((user.uid, user.gid, user.groups), (990, 980, vec![44, 105]));
        assert_eq!(User::of_tables("wardpost", passwd, group), None);
        assert!(Reader::named("no-such-user").unwrap_err().to_string().contains("no-such-user"));
    }

    #[test]
    fn another_user_reads_as_the_kernel_says() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can ask for another user");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let (folder, file) = (place.path().join("folder"), place.path().join("folder/file"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        let user = User { name: "somebody".into(), uid: 54_321, gid: 54_322, groups: vec![54_323] };
        let reader = Reader::User(user);
        let reads = |folder_mode, file_mode, owner: (u32, u32)| {
            chown(&file, Some(owner.0), Some(owner.1)).unwrap();
            mode(place.path(), 0o755);
            mode(&folder, folder_mode);
            mode(&file, file_mode);
            reader.may_read(&file).is_ok()
        };
        assert!(reads(0o755, 0o644, (0, 0)));
        assert!(!reads(0o755, 0o600, (0, 0)));
        assert!(reads(0o755, 0o600, (54_321, 0)) && reads(0o755, 0o640, (0, 54_322)));
        assert!(reads(0o755, 0o640, (0, 54_323)), "by a further group");
        assert_eq!(reader.barrier(&file), file);
        assert!(!reads(0o700, 0o644, (0, 0)));
        assert_eq!(reader.barrier(&file), folder);
        assert!(reader.may_write_in(&folder).is_err() && Reader::Process.may_read(&file).is_ok());
        assert!(rustix::process::geteuid().is_root(), "this thread keeps its ids");
    }
}
