//! One fast pass gives what the rules, applied one after the other to every character, give.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::breaks::Breaks;
use super::*;

/// Turns line ends within a sentence into spaces. One byte replaces one byte, so offsets stay true.
fn unwrap_lines(text: &str) -> String {
    let mut unwrapped = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let row = |next: &str| {
            next.split_once(':')
                .is_some_and(|(name, cell)| cell.starts_with(' ') && line.starts_with(&format!("{name}: ")))
        };
        let wrapped = lines.peek().is_some_and(|next| next.starts_with(char::is_lowercase) && !row(next));
        match line.strip_suffix('\n') {
            Some(content) if wrapped && !content.trim().is_empty() => {
                unwrapped.push_str(content);
                unwrapped.push(' ');
            }
            _ => unwrapped.push_str(line),
        }
    }
    unwrapped
}

fn assert_same(text: &str) {
    let unwrapped = unwrap_lines(text);
    let expected: Vec<(usize, bool)> = unwrapped
        .split_sentence_bound_indices()
        .map(|(start, sentence)| (start + sentence.len(), sentence.ends_with('\n')))
        .collect();
    let found: Vec<(usize, bool)> = Breaks::new(text).map(|end| (end.at, end.line)).collect();
    assert_eq!(found, expected, "{text:?}");
}

/// Characters of every class, some of them in two scripts.
const CHARACTERS: &str = "aabBé É1٣.!?。\u{2024}؟,-:、()\"“”« \t\u{A0}\n\r\u{85}\u{2028}\u{301}\u{AD}+€א東😀";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn breaks_are_those_of_the_standard(picks in prop::collection::vec(0usize..200, 0..40)) {
        let characters: Vec<char> = CHARACTERS.chars().collect();
        let text: String = picks.iter().map(|pick| characters[pick % characters.len()]).collect();
        assert_same(&text);
    }
}

#[test]
fn rules_hold_for_real_shapes() {
    for text in [
        "",
        "One. Two! Three? (Four.) \"Five.\" Six",
        "It costs 3.5 litres. A.B. went, e.g. home. ... and so on. ). X",
        "Dr. Weiß kam. z. B. heute. Ende.\nneue zeile. Neue Zeile.\n\nAbsatz\r\nnoch einer.\r\n\r\n",
        "吾輩は猫である。名前はまだ無い。Yes. 猫",
        " \n\nlower\n \nlower. \n\t\nx",
        "was: a; wie: viel\nwas: b; wie: wenig\nwas es ist: c\nx",
    ] {
        assert_same(text);
    }
}

#[test]
fn no_character_that_ends_a_sentence_is_passed_over() {
    // All characters of two bytes, and of the longer ones all that the glance does not clear and a sample of the others.
    let notable = |code: u32| code < 0x800 || matches!(code >> 6, 0x20 | 0x25 | 0x80 | 0x81 | 0xC0 | 0x3F8 | 0x3FC);
    for character in (0x80..0x3_0000).filter(|&code| notable(code) || code % 5 == 0).filter_map(char::from_u32) {
        assert_same(&format!("a{character} B{character}b"));
    }
}

#[test]
fn marks_before_a_long_run_are_read_in_one_pass() {
    // The rules taken literally look to the end of the run from each of its characters.
    for run in [".(", ".«", ". \u{301}"] {
        let mut characters = run.chars();
        let first = characters.next().unwrap();
        let rest: String = characters.collect();
        let text = format!("a{first}{}", rest.repeat(1 << 20));
        assert!(sentences(&text).len() <= 2);
    }
}
