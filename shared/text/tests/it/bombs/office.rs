//! Bombs of the XML inside office files: entities, depth, attributes, and numbers that ask for room.

use crate::child::Job;
use crate::support::stored_archive as archive;

pub fn bombs() -> Vec<Job> {
    let mut jobs = vec![
        Job::many("DOCX with a document type", "a.docx", "corrupt", || {
            doctypes().iter().map(|part| archive(&[("word/document.xml", part.as_bytes())])).collect()
        }),
        Job::one("DOCX styles with a document type", "a.docx", "corrupt", || {
            docx_with("<w:p><w:r><w:t>x</w:t></w:r></w:p>", &[("word/styles.xml", doctypes()[0].as_bytes())])
        }),
    ];
    jobs.extend(xml());
    jobs.extend(word());
    jobs
}

fn docx(body: &str) -> Vec<u8> {
    docx_with(body, &[])
}

fn docx_with(body: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let document = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    archive(&[[("word/document.xml", document.as_bytes())].as_slice(), more].concat())
}

/// A billion laughs, a quadratic blow-up, and files and addresses from outside.
pub fn doctypes() -> [String; 4] {
    let mut laughs = String::from("<!DOCTYPE x [<!ENTITY a0 \"ha\">");
    (1..30).for_each(|level| {
        laughs.push_str(&format!("<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10)))
    });
    let body = |reference: &str| {
        format!("<w:document><w:body><w:p><w:r><w:t>{reference}</w:t></w:r></w:p></w:body></w:document>")
    };
    [
        format!("{laughs}]>{}", body("&a29;")),
        format!("<!DOCTYPE x [<!ENTITY a \"{}\">]>{}", "a".repeat(50_000), body(&"&a;".repeat(50_000))),
        format!("<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>{}", body("&a;")),
        format!("<!DOCTYPE x SYSTEM \"http://127.0.0.1:9/x.dtd\">{}", body("x")),
    ]
}

fn xml() -> Vec<Job> {
    let text = "<w:p><w:r><w:t>x</w:t></w:r></w:p>";
    vec![
        Job::one("DOCX nested 100,000 deep", "a.docx", "limit_exceeded", move || {
            docx(&format!("{}{text}{}", "<w:sdt>".repeat(100_000), "</w:sdt>".repeat(100_000)))
        }),
        Job::one("DOCX whose elements never close", "a.docx", "limit_exceeded", || docx(&"<w:p>".repeat(1_000_000))),
        Job::one("DOCX element with a million attributes", "a.docx", "limit_exceeded", move || {
            let attributes: String = (0..1_000_000).map(|index| format!(" a{index}=\"{index}\"")).collect();
            docx(&format!("<w:p{attributes}/>{text}"))
        }),
        Job::one("DOCX paragraph style of 20 MB", "a.docx", "ok", move || {
            let noise: String = (0..4_000_000u32)
                .map(|at| char::from(b'a' + (at.wrapping_mul(2_654_435_761) >> 27) as u8 % 26))
                .collect();
            docx(&format!("<w:p><w:pPr><w:pStyle w:val=\"{noise}\"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>"))
        }),
        Job::one("a million references to an entity that nobody defined", "a.docx", "ok", || {
            docx(&format!(
                "<w:p><w:r><w:t>{}</w:t></w:r></w:p>",
                (0..300_000).map(|index| format!("&e{index};")).collect::<String>()
            ))
        }),
        Job::many("XML that breaks off", "a.docx", "corrupt", || {
            [
                "<w:p",
                "<w:p><![CDATA[",
                "<w:p><!--",
                "<w:p><?x",
                "<w:p a=\"",
                "</w:p></w:p></w:body></w:document></x>",
                "<w:p>&#xFFFFFFFFFF;<",
                "<\u{1}>",
            ]
            .map(docx)
            .to_vec()
        }),
        Job::many("XML of odd characters", "a.docx", "empty_file ok", || {
            ["&#0;", "&#xD800;", "&#x110000;", "\u{0}", "\u{FFFE}", "&#9;", "]]>"]
                .map(|text| docx(&format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")))
                .to_vec()
        }),
        Job::one("a main part in UTF-16", "a.docx", "ok", || {
            let xml = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><w:document><w:body><w:p><w:r><w:t>Hello</w:t></w:r></w:p></w:body></w:document>";
            let wide: Vec<u8> = [0xFEFFu16].into_iter().chain(xml.encode_utf16()).flat_map(u16::to_le_bytes).collect();
            archive(&[("word/document.xml", &wide)])
        }),
    ]
}

fn word() -> Vec<Job> {
    let cell = |text: &str| format!("<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>");
    vec![
        Job::one("DOCX tables nested 60 deep", "a.docx", "ok", || {
            let deep = (0..60).fold("<w:p><w:r><w:t>x</w:t></w:r></w:p>".to_owned(), |inner, _| {
                format!("<w:tbl><w:tr><w:tc>{inner}</w:tc></w:tr></w:tbl>")
            });
            docx(&deep)
        }),
        Job::one("DOCX header cell of 200 kB over many rows", "a.docx", "ok", move || {
            let header: String = (0..40_000).map(|index| format!("h{index}")).collect();
            let rows = format!("<w:tr>{}{}</w:tr>", cell("1"), cell("2")).repeat(2_000);
            let noise: String = (0..20_000u64)
                .map(|index| format!("<w:p w:id=\"{}\"/>", index.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
                .collect();
            docx(&format!("<w:tbl><w:tr>{}{}</w:tr>{rows}</w:tbl>{noise}", cell(&header), cell("b")))
        }),
        Job::one("DOCX cell that spans four thousand million columns", "a.docx", "ok", move || {
            docx(&format!(
                "<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val=\"4294967295\"/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc></w:tr><w:tr>{}</w:tr></w:tbl>",
                cell("y")
            ))
        }),
        Job::one("DOCX of 30,000 headings", "a.docx", "ok", || {
            let headings: String = (0..30_000)
                .map(|index| {
                    format!(
                        "<w:p><w:pPr><w:pStyle w:val=\"Heading{}\"/></w:pPr><w:r><w:t>H{index}</w:t></w:r></w:p>",
                        index % 9 + 1
                    )
                })
                .collect();
            docx(&headings)
        }),
        Job::one("DOCX without a paragraph", "a.docx", "empty_file", || docx("")),
    ]
}
