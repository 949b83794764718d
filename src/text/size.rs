//! Sizes of memory and files: how options write them, and how every report and message shows them.

/// Powers of two that the letters stand for. A thousand and twenty-four of the one before, whichever way it is written: so
/// count the kernel, containers and Java.
const UNITS: [(char, u32); 4] = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];

/// Bytes that no address counts to, and no signed number of 64 bits.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSize {
    /// It has another form.
    #[error("invalid size '{0}': expected a number with K, M, G or T, for example 500M or 1.5G")]
    Form(String),
    /// No machine has as much.
    #[error("invalid size '{0}': expected less than 8388608T")]
    TooLarge(String),
}

/// The bytes that a text stands for: a number above 0 with a unit K, M, G or T, also as in MB and MiB. All count in steps
/// of 1024.
///
/// # Errors
/// [`InvalidSize`].
pub fn parse(text: &str) -> Result<u64, InvalidSize> {
    let error = || InvalidSize::Form(super::shortened(text));
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let is_number =
        number.starts_with(|c: char| c.is_ascii_digit()) && number.ends_with(|c: char| c.is_ascii_digit());
    let number: f64 = number.parse().ok().filter(|_| is_number).ok_or_else(error)?;
    let unit = unit.trim_start().to_ascii_uppercase();
    let mut letters = unit.chars();
    let letter = letters.next();
    let (_, power) = UNITS
        .iter()
        .find(|(name, _)| Some(*name) == letter)
        .filter(|_| matches!(letters.as_str(), "" | "B" | "IB"))
        .ok_or_else(error)?;
    let bytes = number * f64::from(*power).exp2();
    if bytes < 1.0 {
        return Err(error());
    }
    if bytes >= TOO_LARGE {
        return Err(InvalidSize::TooLarge(super::shortened(text)));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is above 0 and below 2^63"
    )]
    let bytes = bytes as u64;
    Ok(bytes)
}

/// Bytes in whole mebibytes: `0 MiB`, `1,234 MiB`.
#[must_use]
pub fn spoken(bytes: u64) -> String {
    let mebibytes = bytes.saturating_add(1 << 19) >> 20;
    let digits = mebibytes.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + " MiB"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_units_are_read() {
        for (text, bytes) in [
            ("1K", 1 << 10),
            ("500M", 500 << 20),
            ("1.5G", 3 << 29),
            (" 800 MiB ", 800 << 20),
            ("2tb", 2 << 40),
            ("0.001K", 1),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_says_what_to_write() {
        for text in [
            "", "1", "M", "-1M", "0M", ".5M", "1.M", "1 P", "1MM", "1e3M", "infM", "0.0001K",
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("invalid size '{text}': expected a number")),
                "{message}"
            );
        }
        let many = format!("{}T", "9".repeat(400));
        let message = parse(&many).unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "invalid size '{}...': expected less than 8388608T",
                "9".repeat(37)
            )
        );
    }

    #[test]
    fn sizes_are_shown_in_mebibytes() {
        let texts = [0, 1 << 20, 1 << 30, 1_234_567 << 20].map(spoken);
        assert_eq!(texts, ["0 MiB", "1 MiB", "1,024 MiB", "1,234,567 MiB"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Ok(bytes) = parse(&text) {
                prop_assert!(bytes > 0);
            }
        }
    }
}
