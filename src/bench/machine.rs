//! What a measurement ran on: figures mean nothing without it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::latency::Latency;

/// How often a write is made durable to see what that costs.
const SYNCS: u32 = 200;
/// What is written each time, bytes: a page, as a database writes.
const SYNC_BYTES: usize = 4_096;

/// The machine and the folder of the data.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors this process may use.
    pub cpus: usize,
    /// Their model.
    pub cpu_model: String,
    /// The system's kernel.
    pub kernel: String,
    /// Memory in all, MiB.
    pub memory_mb: u64,
    /// The file system of the data's folder.
    pub file_system: String,
    /// The median time of a page's write with fdatasync in the data's folder, milliseconds.
    pub fdatasync_ms: f64,
}

impl Machine {
    /// Looks at the machine and tries the folder.
    pub fn look(data: &Path) -> io::Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let memory_kib =
            field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Ok(Self {
            cpus: std::thread::available_parallelism()?.get(),
            cpu_model: field(&cpus, "model name").unwrap_or("unknown").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mb: memory_kib.unwrap_or_default() / 1_024,
            file_system: file_system(&read("/proc/self/mountinfo"), &data.canonicalize()?),
            fdatasync_ms: fdatasync_ms(data)?,
        })
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

/// The type of the file system mounted nearest above a path.
fn file_system(mounts: &str, path: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        Some((Path::new(place.split(' ').nth(4)?), kind.split(' ').next()?))
    });
    let above = mounts.filter(|(point, _)| path.starts_with(point));
    // Of several on one point, the last one is the one that is seen.
    above.max_by_key(|(point, _)| point.components().count()).map_or("unknown", |(_, kind)| kind).to_owned()
}

fn fdatasync_ms(folder: &Path) -> io::Result<f64> {
    let path = folder.join("fdatasync.probe");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let mut latency = Latency::default();
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[0x5A; SYNC_BYTES])?;
        file.sync_data()?;
        latency.record(started.elapsed());
    }
    fs::remove_file(path)?;
    Ok(latency.percentiles().p50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      22 21 0:5 / /var/tmp rw - tmpfs none rw\n\
                      23 21 0:6 / /var/t rw - xfs /dev/vdb rw\n";
        assert_eq!(file_system(mounts, Path::new("/var/tmp/x")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/home")), "ext4");
        assert_eq!(file_system("", Path::new("/home")), "unknown");
    }

    #[test]
    fn a_machine_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::look(folder.path()).unwrap();
        assert!(machine.cpus > 0 && machine.memory_mb > 0 && !machine.kernel.is_empty(), "{machine:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
