//! How many threads a process may run at once.
//!
//! In: what `PYMETALLIC_THREADS` says, or else the system: the processors that the process may run on, of which the
//! control groups that it is in may grant a part (Linux, versions 1 and 2). A part of a processor counts as one: what
//! would be left over of two threads on one and a half is used. Not here: the threads, which are bound to no processor.

use std::path::{Path, PathBuf};

use metallic_hal::{Error, Result, env};

/// More are surely a mistake.
const MOST: usize = 1024;

/// As many threads as the environment asks for, or else as can run at once.
pub(crate) fn default_threads() -> Result<usize> {
    let asked = asked(&env::THREADS.get().unwrap_or_default())?;
    Ok(asked.unwrap_or_else(|| available(Path::new("/"))))
}

/// What a value of `PYMETALLIC_THREADS` asks for.
fn asked(value: &str) -> Result<Option<usize>> {
    match value.trim() {
        "" => Ok(None),
        number => match number.parse() {
            Ok(n @ 1..=MOST) => Ok(Some(n)),
            _ => Err(Error::Device(format!("{}: `{number}` is no number from 1 to {MOST}", env::THREADS.name))),
        },
    }
}

/// How many threads can run at once, by the files of a system under `root`.
fn available(root: &Path) -> usize {
    let granted = granted(root).unwrap_or(usize::MAX);
    processors(root).unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get())).min(granted).max(1)
}

/// How many processors the process may run on.
fn processors(root: &Path) -> Option<usize> {
    let status = std::fs::read_to_string(root.join("proc/self/status")).ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let count = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        last.parse::<usize>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
    };
    list.trim().split(',').map(count).sum::<Option<usize>>()
}

/// How many processors' time the control groups grant, if they limit it.
fn granted(root: &Path) -> Option<usize> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = std::fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    // `number:controllers:path`; version 2 has no controllers here.
    let limits = groups.lines().filter_map(|line| {
        let [_, controllers, path] = line.splitn(3, ':').collect::<Vec<_>>()[..] else { return None };
        match controllers {
            "" => folders(root, &mounts, "cgroup2", None, path).filter_map(|f| limit_2(&f)).min(),
            _ if controllers.split(',').any(|c| c == "cpu") => {
                folders(root, &mounts, "cgroup", Some("cpu"), path).filter_map(|f| limit_1(&f)).min()
            }
            _ => None,
        }
    });
    limits.min()
}

/// The folders of a group and of those that it is in, where they are mounted.
fn folders<'a>(
    root: &'a Path,
    mounts: &'a str,
    kind: &'a str,
    controller: Option<&'a str>,
    path: &'a str,
) -> impl Iterator<Item = PathBuf> + 'a {
    // `id parent device root place options… - kind source options`
    let mounted = mounts.lines().filter_map(move |line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (top, place) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let is_kind = system.next()? == kind;
        let has = controller.is_none_or(|c| system.nth(1).is_some_and(|options| options.split(',').any(|o| o == c)));
        (is_kind && has).then_some((top, place))
    });
    mounted.flat_map(move |(top, place)| {
        let place = root.join(place.trim_start_matches('/'));
        // What is mounted may be a group that this one is in, and not the topmost; or, in a container, nothing that the
        // path speaks of: then it is the group itself.
        let inner = Path::new(path).strip_prefix(top).ok().map(Path::to_path_buf).unwrap_or_default();
        let inner = if inner.components().all(|c| matches!(c, std::path::Component::Normal(_))) {
            inner
        } else {
            PathBuf::new()
        };
        let mut all: Vec<PathBuf> = inner.ancestors().map(|part| place.join(part)).collect();
        all.dedup();
        all
    })
}

/// `cpu.max`: microseconds of a period, or `max`; and the period.
fn limit_2(folder: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(folder.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    whole(quota.parse().ok()?, period.parse().ok()?)
}

/// The same in two files; no limit is -1.
fn limit_1(folder: &Path) -> Option<usize> {
    let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    whole(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

/// How many processors a part of each period's time keeps busy.
fn whole(quota: u64, period: u64) -> Option<usize> {
    (period > 0).then(|| usize::try_from(quota.div_ceil(period)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_asks_for_a_number_of_threads() {
        assert_eq!(asked("").unwrap(), None);
        assert_eq!(asked(" 3\n").unwrap(), Some(3));
        assert_eq!(asked("1024").unwrap(), Some(1024));
        for wrong in ["0", "1025", "-1", "two", "1.5", "99999999999999999999"] {
            let message = asked(wrong).unwrap_err().to_string();
            assert!(message.contains("PYMETALLIC_THREADS") && message.contains(wrong), "{message}");
        }
    }

    /// A system made of files.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, allowed: &str, files: &[(&str, &str)]) -> Root {
            let root = std::env::temp_dir().join(format!("metallic-processors-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&root);
            let status =
                format!("Name:\ttest\nCpus_allowed:\tff\nCpus_allowed_list:\t{allowed}\nMems_allowed_list:\t0\n");
            for (path, text) in files.iter().copied().chain([("proc/self/status", status.as_str())]) {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Root(root)
        }
        fn available(&self) -> usize {
            available(&self.0)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const MOUNT_2: &str = "22 26 0:21 / /proc rw - proc proc rw\n30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const MOUNT_1: &str = "33 32 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        34 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct\n\
        35 32 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn processors_that_the_process_may_run_on_are_counted() {
        for (list, count) in [("0", 1), ("0-7", 8), ("1,3-5,9", 5), ("0-1023", 1024)] {
            assert_eq!(Root::new(&format!("list-{count}"), list, &[]).available(), count);
        }
    }

    #[test]
    fn control_groups_of_version_2_limit_it() {
        let with = |name: &str, groups: &str, files: &[(&str, &str)]| {
            let all = [("proc/self/cgroup", groups), ("proc/self/mountinfo", MOUNT_2)];
            Root::new(name, "0-15", &[&all, files].concat()).available()
        };
        assert_eq!(with("2-none", "0::/\n", &[]), 16);
        assert_eq!(with("2-max", "0::/a\n", &[("sys/fs/cgroup/a/cpu.max", "max 100000\n")]), 16);
        assert_eq!(with("2-four", "0::/a\n", &[("sys/fs/cgroup/a/cpu.max", "400000 100000\n")]), 4);
        assert_eq!(with("2-part", "0::/a\n", &[("sys/fs/cgroup/a/cpu.max", "150000 100000\n")]), 2);
        assert_eq!(with("2-little", "0::/a\n", &[("sys/fs/cgroup/a/cpu.max", "1000 100000\n")]), 1);
        assert_eq!(with("2-more", "0::/a\n", &[("sys/fs/cgroup/a/cpu.max", "9900000 100000\n")]), 16);
        // The least of the groups that it is in.
        let nested = [("sys/fs/cgroup/a/cpu.max", "300000 100000\n"), ("sys/fs/cgroup/a/b/cpu.max", "800000 100000\n")];
        assert_eq!(with("2-outer", "0::/a/b\n", &nested), 3);
        assert_eq!(with("2-beside", "0::/c\n", &nested), 16);
        // In a container its group is the topmost that it sees.
        assert_eq!(with("2-container", "0::/\n", &[("sys/fs/cgroup/cpu.max", "200000 100000\n")]), 2);
        assert_eq!(with("2-nonsense", "0::/a\n", &[("sys/fs/cgroup/a/cpu.max", "many\n")]), 16);
        assert_eq!(with("2-zero", "0::/a\n", &[("sys/fs/cgroup/a/cpu.max", "100000 0\n")]), 16);
        assert_eq!(with("2-up", "0::/../a\n", &[("sys/fs/cgroup/cpu.max", "500000 100000\n")]), 5);
    }

    #[test]
    fn control_groups_of_version_1_limit_it() {
        let with = |name: &str, groups: &str, mounts: &str, files: &[(&str, &str)]| {
            let all = [("proc/self/cgroup", groups), ("proc/self/mountinfo", mounts)];
            Root::new(name, "0-15", &[&all, files].concat()).available()
        };
        let groups = "5:memory:/a\n4:cpu,cpuacct:/a/b\n0::/a\n";
        let limit = |quota| {
            [
                ("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", quota),
                ("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "50000\n"),
            ]
        };
        assert_eq!(with("1-none", groups, MOUNT_1, &limit("-1\n")), 16);
        assert_eq!(with("1-three", groups, MOUNT_1, &limit("150000\n")), 3);
        assert_eq!(with("1-part", groups, MOUNT_1, &limit("120000\n")), 3);
        let outer = [
            ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(with("1-outer", groups, MOUNT_1, &[limit("150000\n"), outer].concat()), 1);
        // A container whose group is mounted in place of the topmost.
        let mount = "34 32 0:29 /docker/x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        let inside =
            [("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"), ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")];
        assert_eq!(with("1-container", "4:cpu:/docker/x\n", mount, &inside), 2);
        assert_eq!(with("1-elsewhere", "4:cpu:/docker/y\n", mount, &inside), 2);
        // `cpuset` is another controller.
        assert_eq!(with("1-cpuset", "4:cpuset:/docker/x\n", mount, &inside), 16);
    }
}
