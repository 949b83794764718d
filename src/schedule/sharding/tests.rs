use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const RULES: [Rule; 2] = [Rule::Duration, Rule::Hash];

fn entry(node_id: &str, line: i64, seconds: Option<f64>) -> Entry {
    Entry {
        node_id: node_id.into(),
        line,
        seconds,
        group: None,
    }
}

/// The shard of each test, by node id.
fn by_node_id(rule: Rule, entries: &[Entry], count: usize) -> BTreeMap<Vec<u8>, usize> {
    let ids = entries.iter().map(|entry| entry.node_id.clone());
    ids.zip(parts(rule, entries, count)).collect()
}

fn lengths(known: bool) -> BoxedStrategy<Option<f64>> {
    let seconds = prop_oneof![Just(0.0), 0.001..0.1, 0.1..2.0, 2.0..60.0];
    if known {
        prop::option::of(seconds).boxed()
    } else {
        Just(None).boxed()
    }
}

/// A suite in which three tests share a line, like parametrized ones, and a tenth of the tests is in groups.
fn suites() -> impl Strategy<Value = Vec<Entry>> {
    let group = prop::option::weighted(0.1, 0..4_u8);
    let file = any::<bool>().prop_flat_map(move |known| {
        let test = (lengths(known), group.clone());
        prop::collection::vec(test, 1..30)
    });
    prop::collection::vec(file, 0..12).prop_map(|files| {
        let mut entries = Vec::new();
        for (file, tests) in files.into_iter().enumerate() {
            for (test, (seconds, group)) in (0_i64..).zip(tests) {
                let group = group.map(|group| format!("group {group}").into_bytes());
                entries.push(Entry {
                    group,
                    ..entry(&format!("test_{file}.py::test_{test}"), test / 3, seconds)
                });
            }
        }
        entries
    })
}

proptest! {
    #[test]
    fn shards_are_complete_and_disjoint(entries in suites(), count in 1_usize..9) {
        for rule in RULES {
            let mut times = vec![0; entries.len()];
            for number in 1..=count {
                let mine = Shard { number, count }.selects(rule, &entries);
                prop_assert_eq!(mine.len(), entries.len());
                times.iter_mut().zip(mine).for_each(|(times, is_mine)| *times += u32::from(is_mine));
            }
            prop_assert!(times.iter().all(|times| *times == 1));
        }
    }

    #[test]
    fn shards_are_stable_under_reordering(
        (entries, shuffled) in suites().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        count in 1_usize..9,
    ) {
        for rule in RULES {
            prop_assert_eq!(by_node_id(rule, &entries, count), by_node_id(rule, &shuffled, count));
        }
    }

    #[test]
    fn a_group_is_in_one_shard(entries in suites(), count in 1_usize..9) {
        for rule in RULES {
            let mut groups: BTreeMap<&[u8], BTreeSet<usize>> = BTreeMap::new();
            for (entry, part) in entries.iter().zip(parts(rule, &entries, count)) {
                if let Some(group) = &entry.group {
                    groups.entry(group).or_default().insert(part);
                }
            }
            prop_assert!(groups.values().all(|parts| parts.len() == 1));
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a small number of parts")]
    fn shards_differ_by_no_more_than_the_longest_unit(entries in suites(), count in 1_usize..9) {
        let seconds = expected(&entries);
        let mut loads = vec![0.0; count];
        let mut groups: BTreeMap<&[u8], f64> = BTreeMap::new();
        let mut longest = seconds.iter().sum::<f64>() / count as f64 * MAX_PIECE;
        for ((entry, length), part) in entries.iter().zip(&seconds).zip(parts(Rule::Duration, &entries, count)) {
            loads[part] += length;
            match &entry.group {
                Some(group) => *groups.entry(group).or_default() += length,
                None => longest = longest.max(*length),
            }
        }
        let longest = groups.values().copied().fold(longest, f64::max);
        let most = loads.iter().copied().fold(0.0, f64::max);
        let least = loads.iter().copied().fold(f64::INFINITY, f64::min);
        prop_assert!(most - least <= longest + 1e-9);
    }

    #[test]
    fn without_durations_and_groups_shards_differ_by_a_quarter_of_their_tests(
        mut entries in suites(),
        count in 1_usize..9,
    ) {
        for entry in &mut entries {
            (entry.seconds, entry.group) = (None, None);
        }
        let mut sizes = vec![0; count];
        for part in parts(Rule::Duration, &entries, count) {
            sizes[part] += 1;
        }
        let most = sizes.iter().max().copied().unwrap_or(0);
        let least = sizes.iter().min().copied().unwrap_or(0);
        prop_assert!(most - least <= (entries.len() / count / 4).max(1));
    }

    #[test]
    fn by_hash_no_test_moves_when_others_are_added(entries in suites(), count in 1_usize..9, at: prop::sample::Index) {
        let whole = parts(Rule::Hash, &entries, count);
        let some = at.index(entries.len() + 1);
        prop_assert_eq!(&parts(Rule::Hash, &entries[..some], count)[..], &whole[..some]);
    }

    #[test]
    fn an_exact_sum_does_not_depend_on_the_order(
        (numbers, shuffled) in prop::collection::vec(-1e9..1e9_f64, 0..50)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let [sum, other] = [numbers, shuffled].map(|numbers| exact_sum(numbers.into_iter()));
        prop_assert_eq!(sum.to_bits(), other.to_bits());
    }

    #[test]
    fn any_text_is_a_shard_or_refused(text in "[0-9/a-z -]*") {
        if let Ok(shard) = text.parse::<Shard>() {
            prop_assert!((1..=shard.count).contains(&shard.number));
        }
    }
}

#[test]
fn a_sum_is_rounded_once() {
    assert_eq!(exact_sum([0.1; 10].into_iter()).to_bits(), 1.0_f64.to_bits());
    assert_eq!(
        exact_sum([1e16, 1.0, 1e-16].into_iter()).to_bits(),
        (1e16 + 2.0_f64).to_bits()
    );
    assert_eq!(exact_sum(std::iter::empty()).to_bits(), 0.0_f64.to_bits());
}

#[test]
fn tests_that_take_no_time_are_divided_by_their_number() {
    let entries: Vec<_> = (0..12)
        .map(|n| entry(&format!("test_{n}.py::test"), 0, Some(0.0)))
        .collect();
    let parts = parts(Rule::Duration, &entries, 4);
    let sizes = (0..4).map(|part| parts.iter().filter(|one| **one == part).count());
    assert!(sizes.eq([3, 3, 3, 3]));
}

#[test]
fn short_files_stay_together_and_long_ones_are_cut_into_runs_of_neighbours() {
    let mut entries: Vec<_> = (0..40)
        .map(|n| entry(&format!("test_long.py::test_{n:02}"), n, Some(1.0)))
        .collect();
    for file in 0..10 {
        entries.extend((0..4).map(|n| entry(&format!("test_{file}.py::test_{n}"), n, Some(0.5))));
    }
    let parts = parts(Rule::Duration, &entries, 2);
    let (long, short) = parts.split_at(40);
    for file in short.chunks(4) {
        assert!(file.iter().all(|part| *part == file[0]));
    }
    assert_eq!(long.iter().collect::<BTreeSet<_>>().len(), 2);
    // An even shard takes 30 s, a piece at most a quarter of that: 7 tests.
    let changes = long.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 40 / 7);
}

#[test]
fn an_unknown_duration_is_the_median_of_the_known_ones() {
    let seconds = [Some(1.0), None, Some(2.0), Some(30.0), None];
    let entries: Vec<_> = seconds
        .iter()
        .map(|one| entry("test_it.py::test", 0, *one))
        .collect();
    assert_eq!(expected(&entries), [1.0, 2.0, 2.0, 30.0, 2.0]);
    assert_eq!(expected(&entries[..3]), [1.0, 1.5, 2.0]);
    assert_eq!(expected(&entries[1..2]), [1.0]);
    assert!(expected(&[]).is_empty());
}

#[test]
fn the_hash_rule_is_stable_across_versions() {
    let mut entries: Vec<_> = (0..8)
        .map(|n| entry(&format!("test_it.py::test_{n}"), 0, None))
        .collect();
    entries.push(Entry {
        // A lone surrogate, encoded as in Python.
        node_id: b"test_it.py::test_[\xed\xb2\x80]".to_vec(),
        ..entry("", 0, None)
    });
    assert_eq!(parts(Rule::Hash, &entries, 4), [2, 1, 0, 2, 1, 0, 3, 0, 1]);
}

#[test]
fn a_shard_is_a_number_and_a_count() {
    assert_eq!("2/4".parse(), Ok(Shard { number: 2, count: 4 }));
    assert_eq!("01/01".parse(), Ok(Shard { number: 1, count: 1 }));
    for text in [
        "0/4", "5/4", "x", "", "1", "1/0", "1/", "/2", "-1/2", "+1/2", "1/2/3", "1.5/2", "a/b", "1/ 2",
    ] {
        let message = text.parse::<Shard>().unwrap_err().to_string();
        assert_eq!(
            message,
            format!("invalid shard '{text}': expected for example 1/4")
        );
    }
    assert_eq!(
        "weather".parse::<Rule>().unwrap_err().to_string(),
        "invalid rule 'weather': expected duration or hash"
    );
}

#[test]
fn the_description_has_the_tests_and_the_seconds_if_known() {
    let shard = Shard { number: 1, count: 2 };
    let mut entries: Vec<_> = (0..3)
        .map(|n| entry(&format!("test_it.py::test_{n}"), n, None))
        .collect();
    let mine = [true, false, true];
    assert_eq!(shard.description(&entries, &mine), "shard 1/2: 2 of 3 tests");
    entries[0].seconds = Some(1.25);
    assert_eq!(
        shard.description(&entries, &mine),
        "shard 1/2: 2 of 3 tests, 2.50 of 3.75 s expected"
    );
    entries[1].seconds = Some(20.0);
    assert_eq!(
        shard.description(&entries, &mine),
        "shard 1/2: 2 of 3 tests, 12 of 32 s expected"
    );
}
