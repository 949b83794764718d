//! Detecting from the state of a Mersenne Twister whether it was seeded explicitly.
//!
//! `CPython` initializes a `random.Random()` without a seed with 624 words from the operating system, and one with a
//! seed with a key made from it: a word or two for most integers, some twenty for a text (`Modules/_randommodule.c`).
//! Both use Matsumoto's `init_by_array`, which repeats a shorter key until all words of the state are filled. Every
//! step of it can be reversed, and so can every step that draws numbers; a key that repeats is a seed.
//!
//! The hazard it handles: the state does not show how many numbers were drawn. A seeded generator that has drawn more
//! than the search looks back, or whose seed is longer than [`LONGEST_KEY`], is not detected.

/// Number of words in a state.
pub const WORDS: usize = 624;
const MIDDLE: usize = 397;
const MATRIX: u32 = 0x9908_b0df;
const UPPER: u32 = 0x8000_0000;
const LOWER: u32 = 0x7fff_ffff;

/// The first word of a state from which nothing was drawn.
const FRESH: u32 = 0x8000_0000;

/// The longest key that is recognized, in words: five of them must repeat.
pub const LONGEST_KEY: usize = WORDS - 8;

/// Number of reversed steps, each of 624 numbers of 32 bits. A step takes 1.5 µs.
const STEPS_BACK: usize = 2000;

/// Whether a generator was seeded explicitly.
///
/// `index` is the number of words already drawn.
#[must_use]
pub fn was_seeded(words: &[u32; WORDS], index: usize) -> bool {
    let mut state = *words;
    if index == WORDS && state[0] == FRESH {
        return has_repeating_key(&state);
    }
    for _ in 0..STEPS_BACK {
        state = step_back(&state);
        if has_repeating_key(&state) {
            return true;
        }
    }
    false
}

/// The state before the last twist.
fn step_back(state: &[u32; WORDS]) -> [u32; WORDS] {
    // A new word is made from the highest bit of an old word, the lower bits of the next, and a word further on.
    let mut both = [0u32; 2 * WORDS];
    both[WORDS..].copy_from_slice(state);
    for position in (0..WORDS).rev() {
        let bits = untwisted(both[position + WORDS] ^ both[position + MIDDLE]);
        both[position] |= bits & UPPER;
        both[position + 1] = if position + 1 < WORDS {
            both[position + 1] & UPPER | bits & LOWER
        } else {
            both[position + 1]
        };
    }
    // The lower bits of the first word show in the last word of the state before.
    let bits = untwisted(both[WORDS - 1] ^ both[MIDDLE - 1]);
    both[0] |= bits & LOWER;
    let mut before = [0; WORDS];
    before.copy_from_slice(&both[..WORDS]);
    before
}

fn untwisted(word: u32) -> u32 {
    if word & UPPER == 0 {
        word << 1
    } else {
        (word ^ MATRIX) << 1 | 1
    }
}

/// Whether an unused state comes from a key that is shorter than the state.
fn has_repeating_key(state: &[u32; WORDS]) -> bool {
    let mixed = before_last_mix(state);
    let initial = initial();
    // Contribution of the key at each position: a key word plus its index. The first two are unknown.
    let added: Vec<u32> = (2..WORDS - 1)
        .map(|position| {
            let mixed_in = initial[position + 1] ^ spread(mixed[position]).wrapping_mul(1_664_525);
            mixed[position + 1].wrapping_sub(mixed_in)
        })
        .collect();
    (1..=LONGEST_KEY).any(|length| {
        let later = added[length..].iter();
        later.zip(&added).all(|(one, other)| one == other)
    })
}

/// Reverses the last mixing pass of `init_by_array`; the first word is lost.
fn before_last_mix(state: &[u32; WORDS]) -> [u32; WORDS] {
    let mut mixed = [0; WORDS];
    let back = |position: usize, previous: u32| {
        state[position].wrapping_add(number(position)) ^ spread(previous).wrapping_mul(1_566_083_941)
    };
    // The pass started at the third word and ended at the second.
    mixed[1] = back(1, state[WORDS - 1]);
    mixed[2] = back(2, mixed[1]);
    for position in 3..WORDS {
        mixed[position] = back(position, state[position - 1]);
    }
    mixed
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a position in the state or in a key"
)]
fn number(position: usize) -> u32 {
    position as u32
}

fn spread(word: u32) -> u32 {
    word ^ word >> 30
}

/// The state before keys are mixed in.
fn initial() -> [u32; WORDS] {
    let mut state = [19_650_218; WORDS];
    for position in 1..WORDS {
        state[position] = spread(state[position - 1])
            .wrapping_mul(1_812_433_253)
            .wrapping_add(number(position));
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Matsumoto's and Nishimura's `init_by_array`.
    fn seeded(key: &[u32]) -> [u32; WORDS] {
        let mut state = initial();
        let (mut position, mut word) = (1, 0);
        for _ in 0..key.len().max(WORDS) {
            let mixed = state[position] ^ spread(state[position - 1]).wrapping_mul(1_664_525);
            state[position] = mixed.wrapping_add(key[word]).wrapping_add(number(word));
            (position, word) = (position + 1, (word + 1) % key.len());
            if position == WORDS {
                state[0] = state[WORDS - 1];
                position = 1;
            }
        }
        for _ in 1..WORDS {
            let mixed = state[position] ^ spread(state[position - 1]).wrapping_mul(1_566_083_941);
            state[position] = mixed.wrapping_sub(number(position));
            position += 1;
            if position == WORDS {
                state[0] = state[WORDS - 1];
                position = 1;
            }
        }
        state[0] = FRESH;
        state
    }

    fn twisted(state: &[u32; WORDS]) -> [u32; WORDS] {
        let mut next = *state;
        for position in 0..WORDS {
            let bits = next[position] & UPPER | next[(position + 1) % WORDS] & LOWER;
            let word = bits >> 1 ^ if bits & 1 == 1 { MATRIX } else { 0 };
            next[position] = next[(position + MIDDLE) % WORDS] ^ word;
        }
        next
    }

    fn drawn(mut state: [u32; WORDS], times: usize) -> [u32; WORDS] {
        for _ in 0..times {
            state = twisted(&state);
        }
        state
    }

    #[test]
    fn the_state_matches_the_published_output() {
        // The first number of mt19937ar.out is 1067595299; this is its value before tempering.
        let first = drawn(seeded(&[0x123, 0x234, 0x345, 0x456]), 1)[0];
        let mut tempered = first ^ first >> 11;
        tempered ^= tempered << 7 & 0x9d2c_5680;
        tempered ^= tempered << 15 & 0xefc6_0000;
        assert_eq!(tempered ^ tempered >> 18, 1_067_595_299);
    }

    #[test]
    fn a_step_back_undoes_a_step() {
        let state = drawn(seeded(&[1, 2, 3]), 1);
        assert_eq!(step_back(&twisted(&state)), state);
    }

    #[test]
    fn a_seed_before_very_many_draws_is_not_detected() {
        assert!(was_seeded(&drawn(seeded(&[7]), STEPS_BACK), 3));
        assert!(!was_seeded(&drawn(seeded(&[7]), STEPS_BACK + 1), 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn a_shorter_key_is_a_seed(key in prop::collection::vec(any::<u32>(), 1..=LONGEST_KEY), times in 0usize..40) {
            let index = if times == 0 { WORDS } else { 1 };
            prop_assert!(was_seeded(&drawn(seeded(&key), times), index));
        }

        #[test]
        fn a_random_key_as_long_as_the_state_is_not_a_seed(
            key in prop::collection::vec(any::<u32>(), WORDS), times in 0usize..2,
        ) {
            let index = if times == 0 { WORDS } else { 1 };
            prop_assert!(!was_seeded(&drawn(seeded(&key), times), index));
        }
    }
}
