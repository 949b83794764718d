//! Whether a line of source code seeds a random number generator, judged by its text.

/// Calls that seed one; the second is whether it may be the end of a longer name.
const SEEDING: [(&str, bool); 4] = [
    ("seed(", false),
    ("default_rng(", true),
    ("RandomState(", true),
    ("Random(", false),
];

/// Names that request the system's random numbers.
const SYSTEM_RANDOM: [&str; 7] = [
    "uuid",
    "secrets",
    "urandom",
    "SystemRandom",
    "token_",
    "randbits",
    "randbelow",
];

/// Whether `line` seeds a generator. One of the system's numbers (`is_from_system`) must be requested in it: a generator
/// may have drawn one by itself before it is seeded.
#[must_use]
pub fn seeds(line: &str, is_from_system: bool) -> bool {
    let has_call = SEEDING.iter().any(|(call, may_be_end)| {
        line.match_indices(call).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            *may_be_end || !before.is_some_and(|character| character.is_alphanumeric() || character == '_')
        })
    });
    has_call && (!is_from_system || SYSTEM_RANDOM.iter().any(|name| line.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_seeds_is_recognized_by_its_name() {
        for line in [
            "random.seed(n)",
            "seed(1)",
            "x = Random(n)",
            "np.random.RandomState(n)",
            "numpy_default_rng(n)",
        ] {
            assert!(seeds(line, false), "{line}");
        }
        for line in [
            "reseed(n)",
            "MyRandom(n)",
            "random.random()",
            "seeds = 1",
            "SystemRandom()",
            "",
        ] {
            assert!(!seeds(line, false), "{line}");
        }
    }

    #[test]
    fn a_number_of_the_system_must_be_requested_in_the_same_line() {
        assert!(seeds("random.seed(uuid.uuid4().int)", true));
        assert!(seeds("rng = Random(secrets.randbits(64))", true));
        assert!(!seeds("random.seed(n)", true));
    }
}
