//! Who runs this process, and in which groups.

use super::read_trimmed;
use nix::unistd;
use std::path::Path;

/// The user of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Number of the user; 0 is root.
    pub uid: u32,
    /// The user's name, where the machine's files know it.
    pub name: Option<String>,
    /// The groups of the process: number, and name where known.
    pub groups: Vec<(u32, Option<String>)>,
}

impl Account {
    /// The account of this process, with the names of the machine whose `/` is `root`.
    pub fn read(root: &Path) -> Self {
        let uid = unistd::getuid().as_raw();
        let mut gids: Vec<u32> = unistd::getgroups().unwrap_or_default().into_iter().map(unistd::Gid::as_raw).collect();
        gids.push(unistd::getegid().as_raw());
        gids.sort_unstable();
        gids.dedup();
        Self {
            uid,
            name: id_name(root, "etc/passwd", uid),
            groups: gids.into_iter().map(|gid| (gid, group_name(root, gid))).collect(),
        }
    }

    /// Whether the process is in a group.
    pub fn is_member(&self, gid: u32) -> bool {
        self.groups.iter().any(|(mine, _)| *mine == gid)
    }

    /// Whether the machine lists the user as a member of the group, which a session takes over when it begins.
    pub fn is_listed_member(&self, root: &Path, gid: u32) -> bool {
        let (Some(groups), Some(name)) = (read_trimmed(root, "etc/group"), &self.name) else { return false };
        let mut lines = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
        lines.any(|line| matches!(line[..], [_, _, number, members] if number.parse() == Ok(gid) && members.split(',').any(|member| member == name)))
    }
}

/// The name of a group.
pub(super) fn group_name(root: &Path, gid: u32) -> Option<String> {
    id_name(root, "etc/group", gid)
}

/// The first field of the line whose third is the number, as in passwd and group.
fn id_name(root: &Path, path: &str, number: u32) -> Option<String> {
    let text = read_trimmed(root, path)?;
    let named = |line: &str| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(number)).then(|| name.to_owned())
    };
    text.lines().find_map(named)
}
