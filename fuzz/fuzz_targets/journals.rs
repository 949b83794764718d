//! Runs [`targets::journals`] on the inputs of libFuzzer.

#![no_main]

#[path = "../targets.rs"]
#[expect(dead_code, reason = "each program runs one target")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    targets::journals(bytes);
});
