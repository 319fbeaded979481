//! A working day that ends soon, whatever day it is.

use std::path::Path;
use std::time::Duration;

use truc::domain::time::{Clock, SystemClock, Timestamp};

const HOUR: i64 = 3_600;

/// The second of the day it is in Vietnam, and the day in the calendar.
pub fn vietnam(at: Timestamp) -> (i64, String) {
    let seconds = at.as_micros() / 1_000_000 + 7 * HOUR;
    (seconds % (24 * HOUR), truc::directory::vietnam_day(at).to_string())
}

/// Settings by which today is worked, and ends so many seconds from now; `days` is where that it is worked is written.
pub async fn ending_in(seconds: i64, days: &Path) -> [String; 3] {
    let (mut second, mut day) = vietnam(SystemClock.now());
    if second + seconds >= 24 * HOUR - 1 {
        // The day ends by itself; the next one does not so soon.
        tokio::time::sleep(Duration::from_secs((24 * HOUR - second + 1) as u64)).await;
        (second, day) = vietnam(SystemClock.now());
    }
    let end = second + seconds;
    std::fs::write(days, format!("date,kind,name,source\n{day},working,Ngày thử,test\n")).unwrap();
    [
        "duty.grace = \"1s\"".to_owned(),
        format!("duty.day_end = \"{:02}:{:02}:{:02}\"", end / HOUR, end / 60 % 60, end % 60),
        format!("duty.holidays = [{days:?}]"),
    ]
}
