//! Detection of lost tests: how often each collected test was completed, and which are missing at the end.

/// How many of the missing tests are named.
const MOST_NAMED: usize = 3;

/// What a scheduler has assigned to workers, by test; a test occurs once for each time.
#[derive(Debug, Clone, Default)]
pub struct Assigned {
    /// Tests that were assigned.
    pub given: Vec<usize>,
    /// Tests that were taken back.
    pub taken_back: Vec<usize>,
}

/// Counts how often each collected test was completed.
#[derive(Debug, Clone, Default)]
pub struct Completeness {
    completed: Vec<u32>,
}

impl Completeness {
    /// Counts for this many collected tests.
    #[must_use]
    pub fn new(tests: usize) -> Self {
        Self {
            completed: vec![0; tests],
        }
    }

    /// Records that a worker has completed a test, or has crashed in it.
    pub fn record(&mut self, test: usize) {
        if let Some(count) = self.completed.get_mut(test) {
            *count += 1;
        }
    }

    /// The tests that were completed less than `times` times, in the order of the collection.
    ///
    /// With `assigned`, only tests that were assigned to a worker more often than they were taken back.
    #[must_use]
    pub fn missing(&self, times: u32, assigned: Option<&Assigned>) -> Vec<usize> {
        let mut counts: Vec<i64> = vec![i64::from(assigned.is_none()); self.completed.len()];
        if let Some(assigned) = assigned {
            let changes = assigned.given.iter().map(|test| (test, 1));
            for (test, change) in changes.chain(assigned.taken_back.iter().map(|test| (test, -1))) {
                if let Some(count) = counts.get_mut(*test) {
                    *count += change;
                }
            }
        }
        let tests = self.completed.iter().zip(counts).enumerate();
        tests
            .filter(|(_, (completed, count))| **completed < times && *count > 0)
            .map(|(test, _)| test)
            .collect()
    }
}

/// The message about missing tests, given their node ids; `None` if there are none.
#[must_use]
pub fn message(missing: &[&str]) -> Option<String> {
    let tests = match missing {
        [] => return None,
        [_] => "a test was".to_owned(),
        several => format!("{} tests were", several.len()),
    };
    let named = missing[..missing.len().min(MOST_NAMED)].join(", ");
    let more = match missing.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    Some(format!(
        "{tests} lost (collected, but neither run nor skipped on purpose): {named}{more}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_the_tests_with_too_few_completions_are_missing(
            tests in 0_usize..20, records in prop::collection::vec(0_usize..25, 0..60), times in 0_u32..4
        ) {
            let mut completeness = Completeness::new(tests);
            for test in &records {
                completeness.record(*test);
            }
            let count = |test: usize| records.iter().filter(|record| **record == test).count();
            let expected: Vec<usize> = (0..tests).filter(|test| count(*test) < times as usize).collect();
            prop_assert_eq!(completeness.missing(times, None), expected);
        }
    }

    #[test]
    fn a_test_that_no_worker_has_is_not_missing() {
        let mut completeness = Completeness::new(4);
        completeness.record(0);
        let assigned = Assigned {
            given: vec![0, 1, 2, 2, 9],
            taken_back: vec![1, 2],
        };
        assert_eq!(completeness.missing(1, Some(&assigned)), [2]);
        assert_eq!(completeness.missing(1, None), [1, 2, 3]);
    }

    #[test]
    fn the_message_names_the_first_missing_tests() {
        insta::assert_snapshot!(
            [&["a"][..], &["a", "b"], &["a", "b", "c", "d", "e"]].map(|missing| message(missing).unwrap()).join("\n"),
            @r"
        a test was lost (collected, but neither run nor skipped on purpose): a
        2 tests were lost (collected, but neither run nor skipped on purpose): a, b
        5 tests were lost (collected, but neither run nor skipped on purpose): a, b, c and 2 more
        "
        );
        assert_eq!(message(&[]), None);
    }
}
