//! The log macros refuse what they cannot log, with words that help, and take every form of
//! options and fields that their documentation lists.

#[test]
fn wrong_calls_are_refused_with_words_that_help() {
    trybuild::TestCases::new().compile_fail("tests/macros/fail/*.rs");
}
