//! Dividing a suite among several machines, `--rustpar-shard=K/N`.
//!
//! The hazard it handles: every machine computes the division on its own, and any difference would run a test twice or
//! never. So nothing here depends on the order of the tests, which a plugin may shuffle, on a hash that differs between
//! processes, or on the order of floating-point additions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// A file stays in one shard if it takes no more than this fraction of an even share. Smaller pieces balance better,
/// larger ones set up fewer module fixtures twice. In 200 random suites of 20 files with skewed durations, in 8 shards,
/// the longest shard took 2 % more than the best possible with a quarter, and 41 % of the files were divided; with a
/// half it was 3 % and 19 %, with a tenth 1 % and 72 %.
const MAX_PIECE: f64 = 0.25;

/// Total seconds of the suite from which on they are shown without decimals.
const NO_DECIMALS_FROM: f64 = 10.0;

/// A test. Texts are bytes, because node ids may contain lone surrogates, encoded like Python's `surrogatepass`: they
/// sort as in Python.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its node id, which begins with its file.
    pub node_id: Vec<u8>,
    /// The line in its file, which defines the order of tests.
    pub line: i64,
    /// Expected seconds; `None` if unknown.
    pub seconds: Option<f64>,
    /// The name of its `xdist_group`, which stays in one shard; `None` for most tests.
    pub group: Option<Vec<u8>>,
}

impl Entry {
    /// The file of the test.
    fn file(&self) -> &[u8] {
        let end = self.node_id.windows(2).position(|pair| pair == b"::");
        &self.node_id[..end.unwrap_or(self.node_id.len())]
    }
}

/// The rule by which tests are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Into shards of about equal duration: the longest units first, each to the shard with least work. The tests of a
    /// group form a unit, and so do those of a file; a long file is divided into units of consecutive tests. Two shards
    /// differ by no more than the longest unit.
    Duration,
    /// By a hash of the node id or group, so that no test moves when others are added.
    Hash,
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        match text {
            "duration" => Ok(Self::Duration),
            "hash" => Ok(Self::Hash),
            _ => Err(UnknownRule(text.to_owned())),
        }
    }
}

/// The text is not the name of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid rule '{0}': expected duration or hash")]
pub struct UnknownRule(String);

/// The text is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid shard '{0}': expected for example 1/4")]
pub struct InvalidShard(String);

/// One of several shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 1.
    number: usize,
    /// The number of shards.
    count: usize,
}

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let number = |digits: &str| -> Option<usize> {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok())?
        };
        let shard = text.split_once('/').and_then(|(number_of, count)| {
            let (number, count) = (number(number_of)?, number(count)?);
            (1..=count).contains(&number).then_some(Self { number, count })
        });
        shard.ok_or_else(|| InvalidShard(text.to_owned()))
    }
}

impl Shard {
    /// Whether each test belongs to this shard.
    #[must_use]
    pub fn selects(self, rule: Rule, entries: &[Entry]) -> Vec<bool> {
        let parts = parts(rule, entries, self.count);
        parts.into_iter().map(|part| part == self.number - 1).collect()
    }

    /// The notice about this shard; `mine` marks its tests.
    #[must_use]
    pub fn description(self, entries: &[Entry], mine: &[bool]) -> String {
        let Self { number, count } = self;
        let (tests, all) = (mine.iter().filter(|is_mine| **is_mine).count(), mine.len());
        let description = format!("shard {number}/{count}: {tests} of {all} tests");
        if entries.iter().all(|entry| entry.seconds.is_none()) {
            return description;
        }
        let seconds = expected(entries);
        let part = seconds.iter().zip(mine).filter(|(_, is_mine)| **is_mine);
        let part = exact_sum(part.map(|(one, _)| *one));
        let whole = exact_sum(seconds.iter().copied());
        let digits = if whole >= NO_DECIMALS_FROM { 0 } else { 2 };
        format!("{description}, {part:.digits$} of {whole:.digits$} s expected")
    }
}

/// The shard of each test, from 0 to `count` - 1.
#[must_use]
pub fn parts(rule: Rule, entries: &[Entry], count: usize) -> Vec<usize> {
    match rule {
        Rule::Duration => by_duration(entries, count),
        Rule::Hash => entries.iter().map(|entry| by_hash(entry, count)).collect(),
    }
}

/// Expected seconds of each test. Unknown durations are replaced by the median of the known ones; if none is known, all
/// tests count equally.
#[must_use]
pub fn expected(entries: &[Entry]) -> Vec<f64> {
    let mut known: Vec<f64> = entries.iter().filter_map(|entry| entry.seconds).collect();
    known.sort_by(f64::total_cmp);
    let middle = known.len() / 2;
    let usual = match known.len() {
        0 => 1.0,
        len => f64::midpoint(known[middle], known[len - 1 - middle]),
    };
    let seconds = entries.iter().map(|entry| entry.seconds.unwrap_or(usual));
    seconds.collect()
}

fn by_hash(entry: &Entry, count: usize) -> usize {
    let mut hash = blake2b_simd::Params::new().hash_length(8).to_state();
    match &entry.group {
        Some(group) => hash.update(b"@").update(group),
        None => hash.update(&entry.node_id),
    };
    let hash = hash.finalize();
    let bytes = hash.as_bytes().iter();
    let number = bytes.fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    usize::try_from(number % count as u64).unwrap_or(0)
}

fn by_duration(entries: &[Entry], count: usize) -> Vec<usize> {
    let seconds = expected(entries);
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 machines")]
    let limit = exact_sum(seconds.iter().copied()) / count as f64 * MAX_PIECE;
    let mut units = units(entries, &seconds, limit);
    let first = |unit: &Unit| entries[unit.tests[0]].node_id.as_slice();
    units.sort_by(|one, other| {
        let longest_first = other.seconds.total_cmp(&one.seconds);
        longest_first
            .then_with(|| first(one).cmp(first(other)))
            .then_with(|| one.tests.cmp(&other.tests))
    });
    // Among shards of equal duration, the one with fewer tests comes first, in particular if all durations are zero.
    let mut parts: BinaryHeap<_> = (0..count).map(|part| Reverse((Load(0.0), 0, part))).collect();
    let mut found = vec![0; entries.len()];
    for unit in units {
        let Some(mut least) = parts.peek_mut() else {
            break;
        };
        let Reverse((load, tests, part)) = &mut *least;
        for &test in &unit.tests {
            found[test] = *part;
        }
        load.0 += unit.seconds;
        *tests += unit.tests.len();
    }
    found
}

/// Seconds with a total order.
#[derive(Debug, Clone, Copy)]
struct Load(f64);

impl Ord for Load {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Load {}

/// Tests that go to the same shard: at least one, in file order.
#[derive(Debug, Default)]
struct Unit {
    seconds: f64,
    tests: Vec<usize>,
}

/// Divides the tests into units: groups, files, and pieces of files that take longer than `limit`.
fn units(entries: &[Entry], seconds: &[f64], limit: f64) -> Vec<Unit> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    let key = |test: usize| {
        let entry = &entries[test];
        (entry.file(), entry.line, entry.node_id.as_slice())
    };
    order.sort_by(|&one, &other| key(one).cmp(&key(other)));
    let mut groups: BTreeMap<&[u8], Unit> = BTreeMap::new();
    let mut pieces: Vec<Unit> = Vec::new();
    for test in order {
        let entry = &entries[test];
        if let Some(group) = &entry.group {
            groups.entry(group).or_default().push(test, seconds[test]);
            continue;
        }
        match pieces.last_mut() {
            Some(piece)
                if entries[piece.tests[0]].file() == entry.file()
                    && piece.seconds + seconds[test] <= limit =>
            {
                piece.push(test, seconds[test]);
            }
            _ => {
                let mut piece = Unit::default();
                piece.push(test, seconds[test]);
                pieces.push(piece);
            }
        }
    }
    pieces.extend(groups.into_values());
    pieces
}

impl Unit {
    fn push(&mut self, test: usize, seconds: f64) {
        self.tests.push(test);
        self.seconds += seconds;
    }
}

/// The sum, rounded once, so that it does not depend on the order: the rounding error of each addition is kept, as in
/// Python's `math.fsum` (Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997).
fn exact_sum(numbers: impl Iterator<Item = f64>) -> f64 {
    // Non-overlapping, with increasing magnitudes.
    let mut partials: Vec<f64> = Vec::new();
    for mut number in numbers {
        let mut kept = 0;
        for index in 0..partials.len() {
            let mut partial = partials[index];
            if number.abs() < partial.abs() {
                std::mem::swap(&mut number, &mut partial);
            }
            let high = number + partial;
            let low = partial - (high - number);
            if low != 0.0 {
                partials[kept] = low;
                kept += 1;
            }
            number = high;
        }
        partials.truncate(kept);
        partials.push(number);
    }
    let Some(mut high) = partials.pop() else {
        return 0.0;
    };
    let mut low = 0.0;
    while let Some(partial) = partials.pop() {
        let before = high;
        high = before + partial;
        low = partial - (high - before);
        if low != 0.0 {
            break;
        }
    }
    // A half of the last digit was rounded to even, although the following part shows that it is more, or less, than
    // half.
    if let Some(&next) = partials.last()
        && ((low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0))
    {
        let twice = low * 2.0;
        let rounded = high + twice;
        #[expect(clippy::float_cmp, reason = "whether a sum is exact")]
        if twice == rounded - high {
            high = rounded;
        }
    }
    high
}
