//! Times in the time zone of this machine, which the standard library does not support.

/// Formats seconds since the epoch as `2026-01-31 09:05:00` in local time; `None` if the system cannot convert them.
#[must_use]
#[cfg(unix)]
pub fn local_time(seconds: i64) -> Option<String> {
    let moment = libc::time_t::from(seconds);
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    #[expect(unsafe_code, reason = "rustix has no time zones")]
    // SAFETY: both pointers are valid, and a structure of zeros is, too, should the call not fill it.
    let parts = unsafe {
        if libc::localtime_r(&raw const moment, parts.as_mut_ptr()).is_null() {
            return None;
        }
        parts.assume_init()
    };
    let year = i64::from(parts.tm_year) + 1900;
    let (month, day) = (parts.tm_mon + 1, parts.tm_mday);
    let (hour, minute, second) = (parts.tm_hour, parts.tm_min, parts.tm_sec);
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    ))
}

/// Not supported on this system: always `None`.
#[must_use]
#[cfg(not(unix))]
pub fn local_time(_seconds: i64) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_at_most_fourteen_hours_from_the_epoch() {
        let text = local_time(0).expect("a time");
        assert!(
            text.starts_with("1970-01-01 ") || text.starts_with("1969-12-31 "),
            "{text}"
        );
        assert!(text.ends_with(":00"), "{text}");
    }

    #[test]
    fn a_time_beyond_the_calendar_has_no_local_time() {
        assert_eq!(local_time(i64::MAX), None);
    }
}
