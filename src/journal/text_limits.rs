//! Limits on the failure texts that a journal stores: the option `rustpar_journal_size`.
//!
//! The hazard it handles: a suite whose tests fail with a lot of output would fill the disk. A note in the text marks
//! each cut, and the cut characters are counted, so that no reader mistakes an excerpt for the whole.

use crate::text::size;

/// A text may use this fraction of the remaining budget. Of 10M, the first texts may have 160 KiB each, more than
/// anybody reads, and a thousand failures with endless output still get 256 characters each, enough for the error.
const SHARE: u64 = 64;

/// Minimum number of characters for every text; see [`SHARE`].
const MIN_CHARACTERS: u64 = 256;

/// Fraction of a shortened text taken from its beginning. The error comes at the end, of tracebacks and of output
/// alike.
const BEGINNING: u64 = 4;

/// All stored journals together may be as large as this many full ones.
const FULL_JOURNALS: u64 = 10;

/// The text is not a size of journals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; or all")]
pub struct InvalidLimit(#[from] size::InvalidSize);

/// Parses a size or `all`: the limits on failure characters per journal, and on the bytes of all journals in pytest's
/// cache together; `None` for no limit.
///
/// # Errors
/// [`InvalidLimit`].
pub fn limits(text: &str) -> Result<Option<(u64, u64)>, InvalidLimit> {
    if text == "all" {
        return Ok(None);
    }
    let limit = size::parse(text)?;
    Ok(Some((limit, limit.saturating_mul(FULL_JOURNALS))))
}

/// The remaining budget of a journal for failure texts.
#[derive(Debug, Clone, Default)]
pub struct TextBudget {
    left: Option<u64>,
    cut: u64,
}

impl TextBudget {
    /// A budget of so many characters; `None` for no limit.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self { left: limit, cut: 0 }
    }

    /// Returns the text, shortened to fit: its beginning and end with a line between them that states how much was cut.
    pub fn fit(&mut self, text: String) -> String {
        let Some(left) = &mut self.left else {
            return text;
        };
        let most = (*left / SHARE).max(MIN_CHARACTERS);
        let characters = text.chars().count() as u64;
        *left = left.saturating_sub(characters.min(most));
        let out = characters.saturating_sub(most);
        if out == 0 {
            return text;
        }
        self.cut += out;
        let begin = most / BEGINNING;
        let beginning = &text[..byte_index(text.char_indices(), begin).unwrap_or(text.len())];
        let end = byte_index(text.char_indices().rev(), most - begin - 1).unwrap_or(0);
        let end = &text[end..];
        format!("{beginning}\n[{out} characters are left out here: see rustpar_journal_size]\n{end}")
    }

    /// Returns the number of characters cut since the last call.
    pub fn take_cut(&mut self) -> u64 {
        std::mem::take(&mut self.cut)
    }
}

/// Byte index of the character with this number, counted from 0.
fn byte_index(mut characters: impl Iterator<Item = (usize, char)>, number: u64) -> Option<usize> {
    let (byte_index, _) = characters.nth(usize::try_from(number).ok()?)?;
    Some(byte_index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_fit_into_the_remaining_budget() {
        let mut budget = TextBudget::new(Some(1 << 20));
        assert_eq!(budget.fit("short".to_owned()), "short");
        let whole = "0123456789\n".repeat(50_000);
        let text = budget.fit(whole.clone());
        assert!(text.len() < 20_000);
        assert_eq!(
            (&text[..4], &text[text.len() - 6..]),
            (&whole[..4], &whole[whole.len() - 6..])
        );
        let cut = budget.take_cut();
        assert!(text.contains(&format!(
            "\n[{cut} characters are left out here: see rustpar_journal_size]\n"
        )));
        assert_eq!(budget.take_cut(), 0);
        let total: usize = (0..1_000).map(|_| budget.fit(whole.clone()).len()).sum();
        assert!(total < (1 << 20) * 3 / 2);
        assert_eq!(TextBudget::new(None).fit(whole.clone()), whole);
    }

    #[test]
    fn a_limit_is_a_size_or_all_and_all_journals_may_take_ten_times_as_much() {
        assert_eq!(limits("1K"), Ok(Some((1 << 10, 10 << 10))));
        assert_eq!(limits("all"), Ok(None));
        let message = limits("much").unwrap_err().to_string();
        assert!(message.starts_with("invalid size 'much': "), "{message}");
        assert!(message.ends_with("; or all"), "{message}");
    }

    proptest! {
        #[test]
        fn kept_and_cut_characters_add_up_to_the_whole_text(
            texts in prop::collection::vec("[a-zäöü速]{0,600}", 0..10),
            limit in 0_u64..40_000,
        ) {
            let mut budget = TextBudget::new(Some(limit));
            for text in texts {
                let fitting = budget.fit(text.clone());
                let cut = budget.take_cut();
                if cut == 0 {
                    prop_assert_eq!(fitting, text);
                } else {
                    let lines: Vec<&str> = fitting.split('\n').collect();
                    let [begin, _, end] = lines[..] else { return Err(TestCaseError::fail("three lines")); };
                    prop_assert!(text.starts_with(begin) && text.ends_with(end));
                    let kept = begin.chars().count() + end.chars().count();
                    prop_assert_eq!(kept as u64 + cut, text.chars().count() as u64);
                }
            }
        }
    }
}
