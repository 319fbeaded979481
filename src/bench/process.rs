//! What the system says a process has taken: processor time and memory.

use std::io;
use std::time::Duration;

/// What Linux counts processor time in, for every program (`USER_HZ`).
const TICKS_PER_S: u64 = 100;

/// What a process has taken since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, its own and the system's for it.
    pub cpu: Duration,
    /// Resident memory now, bytes.
    pub rss_bytes: u64,
    /// The most resident memory it ever had, bytes.
    pub rss_peak_bytes: u64,
}

/// Processor time the whole machine has spent so far.
pub fn machine_cpu() -> io::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    machine_cpu_of(&stat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/stat is not what it was"))
}

/// The first line: user, nice, system, idle, iowait, irq, softirq; what follows is in these already, or stolen.
fn machine_cpu_of(stat: &str) -> Option<Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(7);
    let fields: Vec<u64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [user, nice, system, _idle, _iowait, irq, softirq] = fields.try_into().ok()?;
    Some(Duration::from_millis((user + nice + system + irq + softirq) * 1_000 / TICKS_PER_S))
}

impl Usage {
    /// Of two processes together: their time, and the memory of the larger one.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            rss_bytes: self.rss_bytes.max(other.rss_bytes),
            rss_peak_bytes: self.rss_peak_bytes.max(other.rss_peak_bytes),
        }
    }

    /// Of a process.
    pub fn of(pid: u32) -> io::Result<Self> {
        Self::under(&format!("/proc/{pid}"))
    }

    /// Of this process.
    pub fn own() -> io::Result<Self> {
        Self::under("/proc/self")
    }

    fn under(folder: &str) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("{folder}/stat"))?;
        let status = std::fs::read_to_string(format!("{folder}/status"))?;
        let (cpu, [rss, peak]) = (cpu_of(&stat), ["VmRSS:", "VmHWM:"].map(|name| bytes_of(&status, name)));
        match (cpu, rss, peak) {
            (Some(cpu), Some(rss_bytes), Some(rss_peak_bytes)) => Ok(Self { cpu, rss_bytes, rss_peak_bytes }),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{folder} is not what it was"))),
        }
    }
}

/// Fields 14 and 15; the name in field 2 can hold anything but ends with the last bracket.
fn cpu_of(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 1_000 / TICKS_PER_S))
}

fn bytes_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok().map(|kib: u64| kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_name_does_not_mislead() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 1 0 5000 1000 200";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(2)));
        assert_eq!(
            bytes_of("VmPeak:\t 9 kB\nVmHWM:\t  5120 kB\nVmRSS:\t 12 kB\n", "VmHWM:"),
            Some(5_242_880)
        );
        assert_eq!(bytes_of("VmHWM:\t5120\n", "VmHWM:"), None);
    }

    #[test]
    fn idle_time_is_not_spent() {
        let stat = "cpu  100 10 50 9999 999 5 35 0 0 0\ncpu0 1 1 1 1 1 1 1\n";
        assert_eq!(machine_cpu_of(stat), Some(Duration::from_secs(2)));
        assert_eq!(machine_cpu_of("cpu  1 2 3"), None);
        assert!(machine_cpu().unwrap() > Duration::ZERO);
    }

    #[test]
    fn this_process_takes_something() {
        let usage = Usage::own().unwrap();
        assert!(usage.rss_peak_bytes >= usage.rss_bytes && usage.rss_bytes > 1_000_000, "{usage:?}");
        assert_eq!(Usage::of(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
