//! How much of what failures say a journal keeps, `rustpar_journal_size`.
//!
//! The hazard it handles: a suite whose tests print a lot and fail would fill the disk with journals that nobody reads.
//! What is left out is said in the text itself and counted, so that no reader takes a part for the whole.

use crate::text::size;

/// A text may take this part of what is left of the journal's size: of 10M the first ones may have 160 KiB each, more than
/// anybody reads, and a thousand failures that print without end still have 256 characters each, where the error is.
const SHARE: u64 = 64;

/// Characters that every text may have; see [`SHARE`].
const LEAST: u64 = 256;

/// The part of a text's room that its beginning gets. An error stands at the end, of a traceback and of output alike.
const BEGINNING: u64 = 4;

/// Journals that are kept may be as large as this many full ones.
const FULL_JOURNALS: u64 = 10;

/// A text that is no size of journals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; or all")]
pub struct InvalidLimit(#[from] size::InvalidSize);

/// Characters of failures that a journal keeps, and bytes that all journals in pytest's cache may take together, by a size
/// or `all`; `None` for any number.
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

/// What is left of a journal's size for the texts of failures.
#[derive(Debug, Clone, Default)]
pub struct Room {
    left: Option<u64>,
    cut: u64,
}

impl Room {
    /// Room for so many characters; `None` for all there are.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self { left: limit, cut: 0 }
    }

    /// The text, or its beginning and its end with a line between them that says what is left out.
    pub fn fit(&mut self, text: String) -> String {
        let Some(left) = &mut self.left else {
            return text;
        };
        let most = (*left / SHARE).max(LEAST);
        let characters = text.chars().count() as u64;
        *left = left.saturating_sub(characters.min(most));
        let out = characters.saturating_sub(most);
        if out == 0 {
            return text;
        }
        self.cut += out;
        let begin = most / BEGINNING;
        let beginning = &text[..place(text.char_indices(), begin).unwrap_or(text.len())];
        let end = place(text.char_indices().rev(), most - begin - 1).unwrap_or(0);
        let end = &text[end..];
        format!("{beginning}\n[{out} characters are left out here: see rustpar_journal_size]\n{end}")
    }

    /// How many characters were left out since this was last called.
    pub fn take_cut(&mut self) -> u64 {
        std::mem::take(&mut self.cut)
    }
}

/// Where the character with this number begins, counted from 0.
fn place(mut characters: impl Iterator<Item = (usize, char)>, number: u64) -> Option<usize> {
    let (place, _) = characters.nth(usize::try_from(number).ok()?)?;
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_fit_into_what_is_left() {
        let mut room = Room::new(Some(1 << 20));
        assert_eq!(room.fit("short".to_owned()), "short");
        let whole = "0123456789\n".repeat(50_000);
        let text = room.fit(whole.clone());
        assert!(text.len() < 20_000);
        assert_eq!(
            (&text[..4], &text[text.len() - 6..]),
            (&whole[..4], &whole[whole.len() - 6..])
        );
        let cut = room.take_cut();
        assert!(text.contains(&format!(
            "\n[{cut} characters are left out here: see rustpar_journal_size]\n"
        )));
        assert_eq!(room.take_cut(), 0);
        let total: usize = (0..1_000).map(|_| room.fit(whole.clone()).len()).sum();
        assert!(total < (1 << 20) * 3 / 2);
        assert_eq!(Room::new(None).fit(whole.clone()), whole);
    }

    #[test]
    fn a_size_or_all_is_a_limit_and_journals_together_may_be_ten() {
        assert_eq!(limits("1K"), Ok(Some((1 << 10, 10 << 10))));
        assert_eq!(limits("all"), Ok(None));
        let message = limits("much").unwrap_err().to_string();
        assert!(message.starts_with("invalid size 'much': "), "{message}");
        assert!(message.ends_with("; or all"), "{message}");
    }

    proptest! {
        #[test]
        fn whatever_the_characters_what_is_left_and_what_is_cut_are_all_there_were(
            texts in prop::collection::vec("[a-zäöü速]{0,600}", 0..10),
            limit in 0_u64..40_000,
        ) {
            let mut room = Room::new(Some(limit));
            for text in texts {
                let fitting = room.fit(text.clone());
                let cut = room.take_cut();
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
