use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Set where a test runs as root of namespaces of its own.
const INSIDE: &str = "ANTIPHON_TEST_MAY_MOUNT";

/// A disk of its own, in memory.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Whether this process may have disks, and so is the one that the test is to run in. Where it may not, the test has
    /// been run by another one that is root of namespaces of its own, for which it takes no rights.
    ///
    /// Where the system allows neither, a line says that the test was not run, and on a machine that builds it fails.
    pub(crate) fn may_be_mounted(test: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        if mount(folder.path(), "size=1m").status.success() {
            unmount(folder.path());
            return true;
        }
        let none = format!("{test} was NOT RUN: this user may mount no disk, and have no namespace (`unshare -rm`)");
        assert!(env::var_os(INSIDE).is_none(), "{none}");
        let mut inside = Command::new("unshare");
        inside.args(["--user", "--map-root-user", "--mount"]);
        if !inside.arg("true").status().is_ok_and(|status| status.success()) {
            assert!(env::var_os("CI").is_none(), "{none}");
            // Not captured: who reads the tests is to know it.
            let _told = writeln!(io::stderr(), "{none}");
            return false;
        }
        let mut inside = Command::new("unshare");
        inside.args(["--user", "--map-root-user", "--mount"]).arg(env::current_exe().unwrap());
        let Output { status, stdout, stderr } =
            inside.args(["--exact", test, "--nocapture"]).env(INSIDE, "").output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success() && stdout.contains("1 passed"), "{test}: {stdout}{stderr}");
        false
    }

    /// Mounts one of that many mebibytes.
    pub(crate) fn mount(at: &Path, mebibytes: u32) -> Self {
        fs::create_dir_all(at).unwrap();
        let mounted = mount(at, &format!("size={mebibytes}m,mode=0700"));
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Self(at.to_owned())
    }

    /// Has something else take all room that is left.
    pub(crate) fn fill(&self) {
        let mut file = fs::File::create(self.0.join("others")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    /// Has it be read-only (`ro`), as after an error of the disk, or not any more (`rw`). Nobody may have a file of it
    /// open for writing.
    pub(crate) fn remount(&self, how: &str) {
        let how = format!("remount,bind,{how}");
        let remounted = Command::new("mount").args(["-o", &how]).arg(&self.0).output().unwrap();
        assert!(remounted.status.success(), "{how}: {}", String::from_utf8_lossy(&remounted.stderr));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn mount(at: &Path, options: &str) -> Output {
    Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output().unwrap()
}

fn unmount(at: &Path) {
    // It goes with the test's folder in any case.
    let _gone = Command::new("umount").arg("-l").arg(at).status();
}
