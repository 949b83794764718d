//! Memory that an idle process can release.
//!
//! A template has mapped and touched the code of every imported library. Its workers map the same files, but a page
//! that only the template touched is kept, and counted, for the template alone: 11 MiB with numpy and pandas.

use std::ops::Range;

/// Address ranges in `smaps` (the text of `/proc/PID/smaps`, see proc(5)) that can be read again from their files:
/// private, read-only file mappings of which no page was ever changed.
#[must_use]
pub fn readable_again(smaps: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            continue;
        };
        if let Some(range) = address_range(first) {
            let is_file = words.nth(2).is_some_and(|inode| inode != "0");
            candidate = (is_file && second.ends_with('p') && !second.contains('w')).then_some(range);
        } else if first == "Anonymous:" && second == "0" {
            ranges.extend(candidate.take());
        }
    }
    ranges
}

/// Parses the address range in the first line of a mapping.
fn address_range(word: &str) -> Option<Range<usize>> {
    let (start, end) = word.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
1000-3000 r-xp 00000000 08:01 17 /lib/libm.so
Rss:                   8 kB
Anonymous:             0 kB
3000-4000 r--p 00002000 08:01 17 /lib/libm.so
Anonymous:             4 kB
4000-5000 rw-p 00003000 08:01 17 /lib/libm.so
Anonymous:             0 kB
5000-6000 r--s 00000000 08:01 18 /tmp/shared
Anonymous:             0 kB
6000-7000 r--p 00000000 00:00 0 [vvar]
Anonymous:             0 kB
";

    #[test]
    fn only_unchanged_private_files_are_read_again() {
        let ranges = readable_again(SMAPS);
        assert_eq!(ranges, std::iter::once(0x1000..0x3000).collect::<Vec<_>>());
    }

    #[test]
    fn invalid_smaps_text_gives_no_ranges() {
        assert_eq!(readable_again("Anonymous: 0 kB\n\nx-y r-xp 0 0 1\n"), []);
    }
}
