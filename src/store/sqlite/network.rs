//! File systems on which a store is not safe: the processes of two machines do not see each other's locks and shared
//! memory there, and SQLite's WAL then loses commits.

use std::path::Path;

use crate::model::error::{OpError, Reason};

/// `f_type` of file systems over a network, as `statfs` tells it on Linux.
const BY_MAGIC: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x1983_0326, "BeeGFS"),
    (0x786f_4256, "VirtualBox shared folder"),
    (0xbacb_acbc, "VMware shared folder"),
];
/// `f_type` of everything that a program serves: what it is says the table of mounts.
const FUSE: u64 = 0x6573_5546;
/// Served by a program, and not from a local disk.
const BY_MOUNT: &[&str] = &[
    "virtiofs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.gcsfuse",
    "fuse.rclone",
    "fuse.glusterfs",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.juicefs",
    "fuse.JuiceFS",
    "fuse.davfs",
    "fuse.curlftpfs",
    "fuse.goofys",
    "fuse.blobfuse",
    "fuse.blobfuse2",
    "fuse.mfs",
    "fuse.moosefs",
    "fuse.lizardfs",
    "fuse.seaweedfs",
    "fuse.smbnetfs",
    "fuse.afpfs",
    "fuse.grpcfuse",
    "fuse.osxfs",
    "fuse.vmhgfs-fuse",
    "fuse.mount-s3",
    "fuse.mountpoint-s3",
];

/// What kind of network file system this is; nothing for a local one. `mounted_as` tells the type in the table of
/// mounts, and is asked only where the magic does not say enough.
fn network_kind(magic: u64, mounted_as: impl FnOnce() -> Option<String>) -> Option<String> {
    if magic == FUSE {
        return mounted_as().filter(|kind| BY_MOUNT.contains(&kind.as_str()));
    }
    BY_MAGIC.iter().find(|(known, _)| *known == magic).map(|(_, name)| (*name).to_owned())
}

/// The type of the mount on a device, in the text of `/proc/self/mountinfo`.
fn mount_type(mounts: &str, major: u32, minor: u32) -> Option<String> {
    let device = format!("{major}:{minor}");
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device.as_str()))?;
    let (_, after) = line.split_once(" - ")?;
    after.split(' ').next().map(str::to_owned)
}

/// Refuses a data folder on a network file system.
pub(super) fn refuse(root: &Path) -> Result<(), OpError> {
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let Some(kind) = absolute.ancestors().find(|folder| folder.exists()).and_then(kind_of) else { return Ok(()) };
    Err(OpError::Unavailable {
        reason: Reason::NetworkFileSystem,
        what: format!(
            "{} is on a network file system ({kind}), where two machines do not see each other's locks and commits \
             get lost",
            root.display()
        ),
        remedy: "choose a folder on a local disk with --data-dir; or, if no other machine ever uses this one, set \
                 --allow-network-fs and keep backups"
            .into(),
    })
}

#[cfg(target_os = "linux")]
fn kind_of(folder: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let found = rustix::fs::statfs(folder).ok()?;
    // The type's width and sign differ from machine to machine; the magic is its low 32 bits.
    let magic = u64::try_from(i128::from(found.f_type) & 0xffff_ffff).ok()?;
    network_kind(magic, || {
        let device = folder.metadata().ok()?.dev();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        mount_type(&mounts, rustix::fs::major(device), rustix::fs::minor(device))
    })
}

#[cfg(not(target_os = "linux"))]
fn kind_of(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        let never = || panic!("the magic says enough");
        for (magic, name) in [(0x6969, "NFS"), (0xff53_4d42, "CIFS"), (0x0102_1997, "9p")] {
            assert_eq!(network_kind(magic, never).as_deref(), Some(name));
        }
        // ext4, btrfs, xfs, tmpfs, overlayfs, zfs.
        for magic in [0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(network_kind(magic, never), None, "{magic:x}");
        }
    }

    #[test]
    fn of_what_a_program_serves_only_the_remote_is_refused() {
        let fuse = |kind: &str| network_kind(FUSE, || Some(kind.to_owned()));
        assert_eq!(fuse("fuse.sshfs").as_deref(), Some("fuse.sshfs"));
        assert_eq!((fuse("fuse.gocryptfs"), fuse("fuseblk")), (None, None));
        assert_eq!(network_kind(FUSE, || None), None);
    }

    #[test]
    fn the_type_of_a_mount_is_found_by_its_device() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      40 22 0:35 / /mnt/far rw shared:9 master:2 - fuse.sshfs me@far:/ rw,user_id=0\n";
        assert_eq!(mount_type(mounts, 0, 35).as_deref(), Some("fuse.sshfs"));
        assert_eq!(mount_type(mounts, 254, 0).as_deref(), Some("ext4"));
        assert_eq!(mount_type(mounts, 0, 3), None);
    }

    #[test]
    fn a_local_folder_is_taken_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(refuse(&folder.path().join("not/there/yet")), Ok(()));
    }
}
