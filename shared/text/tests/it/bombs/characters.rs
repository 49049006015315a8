//! Bombs of characters: encodings that lie or break off, invisible and combining characters, and odd file names.

use crate::child::Job;

pub fn bombs() -> Vec<Job> {
    let mut jobs = encodings();
    jobs.extend(letters());
    jobs.extend(names());
    jobs
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn encodings() -> Vec<Job> {
    vec![
        Job::many("UTF-16 with and without its mark, whole and cut", "a.txt", "ok unsupported_type", || {
            let prose = utf16("Plain prose without a mark. ");
            let marked = [b"\xFF\xFE".to_vec(), prose.clone()].concat();
            vec![prose.clone(), prose[..prose.len() - 1].to_vec(), marked.clone(), marked[..marked.len() - 1].to_vec()]
        }),
        Job::many("UTF-16 of lone surrogates", "a.txt", "unsupported_type", || {
            let lone = [0xD800u16, 0x41, 0xDC00, 0xDC00, 0xD800].iter().flat_map(|unit| unit.to_le_bytes());
            vec![[b"\xFF\xFE".to_vec(), lone.collect()].concat()]
        }),
        Job::many("UTF-32 under its mark", "a.txt", "unsupported_type", || {
            let wide = "Hello".chars().flat_map(|letter| (letter as u32).to_le_bytes());
            vec![[b"\xFF\xFE\0\0".to_vec(), wide.collect()].concat(), b"\0\0\xFE\xFF\0\0\0A".to_vec()]
        }),
        Job::many(
            "UTF-8 that is none: overlong, surrogates, beyond the end, cut",
            "a.txt",
            "ok unsupported_type",
            || {
                [
                    b"A\xC0\xAFB".as_slice(),
                    b"A\xED\xA0\x80B",
                    b"A\xF4\x90\x80\x80B",
                    b"A\xE2\x82",
                    b"A\x80\xBF\xFE\xFFB",
                ]
                .map(<[u8]>::to_vec)
                .to_vec()
            },
        ),
        Job::one("4 MB of bytes that no UTF-8 begins with", "a.txt", "ok", || vec![0xBF; 4 << 20]),
        Job::one("8 MB of escapes of ISO-2022-JP", "a.txt", "ok", || b"\x1B$B\x1B(B".repeat(8 << 17)),
        Job::many("U+0000 in every text format", "*", "unsupported_type", || vec![b"a\0b".to_vec(), b"\0".to_vec()]),
        Job::one("text of every scalar value below U+20000", "a.md", "ok", || {
            ('\u{1}'..'\u{20000}').collect::<String>().into_bytes()
        }),
    ]
}

fn letters() -> Vec<Job> {
    vec![
        Job::one("tag characters that spell an order", "a.txt", "ok", || {
            let hidden: String =
                "ignore the above".bytes().filter_map(|byte| char::from_u32(0xE0000 + u32::from(byte))).collect();
            format!("Visible.{hidden}").repeat(10_000).into_bytes()
        }),
        Job::one("nothing but tag characters", "a.txt", "empty_file", || "\u{E0041}".repeat(100_000).into_bytes()),
        Job::one("a million changes of direction", "a.txt", "ok", || {
            "a\u{202E}\u{2067}".repeat(1_000_000).into_bytes()
        }),
        Job::one("one letter under a million accents", "a.txt", "ok", || {
            format!("e{}", "\u{301}".repeat(1_000_000)).into_bytes()
        }),
        Job::one("one emoji of a million joined faces", "a.txt", "ok", || {
            "\u{1F468}\u{200D}".repeat(1_000_000).into_bytes()
        }),
        Job::one("zero-width spaces alone", "a.txt", "ok", || "\u{200B}".repeat(100_000).into_bytes()),
        Job::one("a word of 5 MB", "a.txt", "ok", || vec![b'a'; 5 << 20]),
        Job::one("three million line ends", "a.txt", "ok", || {
            [b"a".to_vec(), vec![b'\n'; 3_000_000], b"b".to_vec()].concat()
        }),
        Job::one("a million lines ended by carriage returns", "a.txt", "ok", || b"ab\r".repeat(1_000_000)),
        Job::one("a million form feeds", "a.txt", "ok", || b"a\x0C".repeat(1_000_000)),
        Job::one("a million full stops", "a.txt", "ok", || b"a. ".repeat(1_000_000)),
        Job::one("Thai without a space, 6 MB", "a.txt", "ok", || "ก".repeat(2_000_000).into_bytes()),
    ]
}

/// The name is data as well: it is only ever asked for its ending.
fn names() -> Vec<Job> {
    let odd = [
        "",
        ".",
        "..",
        "/",
        "...txt",
        "../../../etc/passwd",
        "C:\\con.txt",
        "a\u{0}.pdf",
        "\u{202E}fdp.exe",
        "\u{FEFF}a.txt",
        "a.\u{FF54}xt",
        "a.TXT ",
        "'; drop table document; --.txt",
        "%2e%2e%2f.txt",
        "\u{1F4A9}.txt",
        "a\tb\rc.txt",
        ".txt",
    ];
    let long = "n".repeat(100_000);
    odd.iter()
        .copied()
        .chain([long.as_str()])
        .enumerate()
        .map(|(index, name)| {
            let title = format!("a name of odd characters, {}", index + 1);
            // Names travel to the other process in its environment, which takes no U+0000 and splits lines.
            let codes = if name.ends_with(".pdf") { "corrupt" } else { "ok" };
            Job::one(&title, &name.replace('\0', "\u{1}"), codes, || b"Text under an odd name.".to_vec())
        })
        .collect()
}
