//! Sizes of memory and files: how options write them, and how reports and messages show them.

/// Powers of two of the unit letters. Every step is 1024, whichever way the unit is written, as the kernel, containers
/// and Java count.
const UNITS: [(char, u32); 4] = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];

/// 2^63: no address is as large, and it does not fit a signed 64-bit number.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// The text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSize {
    /// The syntax is wrong.
    #[error("invalid size '{0}': expected a number with K, M, G or T, for example 500M or 1.5G")]
    Form(String),
    /// The number is larger than any memory.
    #[error("invalid size '{0}': expected less than 8388608T")]
    TooLarge(String),
}

/// Parses a size and returns bytes: a number above 0 with a unit K, M, G or T, also in the forms MB and MiB. All units
/// are powers of 1024.
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

/// Formats bytes in whole mebibytes: `0 MiB`, `1,234 MiB`.
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
    fn an_invalid_size_error_gives_examples() {
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
