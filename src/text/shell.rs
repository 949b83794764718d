//! Quoting of command lines for a shell.

/// Joins words to a line that a POSIX shell splits into the same words.
#[must_use]
pub fn joined(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    // A single quote cannot be quoted inside single quotes: close them, put the quote in double quotes, and open them
    // again.
    format!("'{}'", word.replace('\'', r#"'"'"'"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        let words = [
            "pytest",
            "-k",
            "one or two",
            "it's",
            "",
            "a=b,c/d@1%",
            "é",
            "$HOME",
        ];
        assert_eq!(
            joined(&words.map(str::to_owned)),
            r#"pytest -k 'one or two' 'it'"'"'s' '' a=b,c/d@1% 'é' '$HOME'"#
        );
    }
}
