//! Checks of the machine for `/readyz`.

use std::path::Path;
use std::time::Duration;

use crate::domain::time::Timestamp;

/// 1 January 2025, UTC: no gateway of this code ran before.
const CLOCK_FLOOR: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);
/// How far the clock may be behind the newest record, which a correction by a time server can cause.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(300);

/// Whether the file system that holds `path` has at least `free_bytes_min` free for this user. Otherwise, why not.
pub fn disk_above_floor(path: &Path, free_bytes_min: u64) -> Result<(), String> {
    let status = rustix::fs::statvfs(path)
        .map_err(|error| format!("the file system of {} cannot be asked: {error}", path.display()))?;
    let free_bytes = status.f_bavail.saturating_mul(status.f_frsize);
    if free_bytes < free_bytes_min {
        return Err(format!(
            "{free_bytes} bytes are free at {}, fewer than {free_bytes_min}",
            path.display()
        ));
    }
    Ok(())
}

/// Whether the clock can be trusted: it is past 2025, and not behind `newest_record`, the latest time on any
/// record of the ledger ([`Timestamp::EPOCH`] where there is none), by more than five minutes. Otherwise, why not.
pub fn clock_sane(now: Timestamp, newest_record: Timestamp) -> Result<(), String> {
    if now < CLOCK_FLOOR {
        return Err("the machine's clock is before 2025".to_owned());
    }
    let behind = newest_record.since(now);
    if behind > CLOCK_BEHIND_MAX {
        return Err(format!("the machine's clock is {} s behind the newest record", behind.as_secs()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(disk_above_floor(folder.path(), 0), Ok(()));
        let full = disk_above_floor(folder.path(), u64::MAX).unwrap_err();
        assert!(full.contains("fewer than"), "{full}");
        let missing = disk_above_floor(&folder.path().join("none"), 0).unwrap_err();
        assert!(missing.contains("cannot be asked"), "{missing}");
    }

    #[test]
    fn a_clock_that_went_back_is_noticed() {
        let now = CLOCK_FLOOR.plus(Duration::from_secs(1_000));
        assert_eq!(clock_sane(now, Timestamp::EPOCH), Ok(()));
        assert_eq!(clock_sane(now, now.plus(CLOCK_BEHIND_MAX)), Ok(()));
        assert!(clock_sane(now, now.plus(Duration::from_secs(301))).unwrap_err().contains("301 s behind"));
        assert!(clock_sane(Timestamp::EPOCH, Timestamp::EPOCH).is_err());
    }
}
