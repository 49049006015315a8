//! Mail.

use super::{code, read};
use crate::budget::limits;
use crate::detect::{Format, detect};

fn mail(headers: &str, body: &str) -> String {
    format!(
        "From: \"Ann\" <ann@example.org>\r\nTo: Bob <bob@example.org>\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\n{headers}\r\n\r\n{body}"
    )
}

const PEOPLE: &str = "From: \"Ann\" <ann@example.org>\nTo: Bob <bob@example.org>\nDate: Mon, 1 Jan 2024 10:00:00 +0100";

fn body_of(source: impl AsRef<[u8]>) -> String {
    let text = read("a.eml", source).unwrap().text;
    text.rsplit_once("+0100").unwrap().1.trim().to_owned()
}

#[test]
fn a_mail_begins_with_its_people_and_subject() {
    let subject = "Subject: =?utf-8?Q?Gr=C3=BC=C3?= =?utf-8?Q?=9Fe_an?=\r\n\t=?iso-8859-1?B?QvZi?= & =?bad all";
    let extract = read("a", mail(subject, "Hello Bob,\r\n\r\nthe saw is ready.\r\n")).unwrap();
    assert_eq!(extract.format, Format::Eml);
    assert_eq!(extract.title.as_deref(), Some("Grüße anBöb & =?bad all"));
    assert_eq!(extract.text, format!("Subject: Grüße anBöb & =?bad all\n{PEOPLE}\n\nHello Bob,\n\nthe saw is ready."));
    let old = [mail("Subject: caf", "x").into_bytes()].concat();
    let old = String::from_utf8(old).unwrap().replace("caf", "caf\u{1}").into_bytes();
    let old: Vec<u8> = old.into_iter().map(|byte| if byte == 1 { 0xE9 } else { byte }).collect();
    assert_eq!(read("a.eml", old).unwrap().title.as_deref(), Some("café"));
}

#[test]
fn bodies_are_decoded() {
    let cases = [
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable",
            "Gr=C3=BC=\r\n=C3=9Fe =3D 5=\n!",
            "Grüße = 5!",
        ),
        (
            "Content-Type: text/plain; charset=\"windows-1252\"\nContent-Transfer-Encoding: base64",
            "Y2Fm\r\n6SCA",
            "café €",
        ),
        ("Content-Type: text/plain; charset=iso-2022-jp", "\u{1b}$BEl5~\u{1b}(B", "東京"),
        ("Content-Type: text/plain; charset=unheard-of", "Grüße", "Grüße"),
        ("Content-Type: text/html", "<p>One<br>two<script>no()</script>", "One\ntwo"),
        ("Content-Type: text/plain; format=flowed", "one \r\ntwo\r\nthree\r\n-- \r\nAnn", "one two\nthree\n-- \nAnn"),
        ("X: y", "a\n\nb", "a\n\nb"),
    ];
    for (headers, body, expected) in cases {
        assert_eq!(body_of(mail(headers, body)), expected, "{headers}");
    }
}

#[test]
fn of_alternatives_the_text_is_read_and_attachments_are_named() {
    let alternative = "Content-Type: multipart/alternative; boundary=in\n\n--in\nContent-Type: text/html\n\n<b>html</b>\n\
        --in\nContent-Type: text/plain\n\nplain\n--in--\n";
    let only_html = alternative.replace("\nplain\n", "\n \n");
    let files = "--out\nContent-Type: application/pdf; name=\"a b.pdf\"\n\nJVBERi0x\n\
        --out\nContent-Type: text/plain\nContent-Disposition: attachment; filename*0*=utf-8''Gr%C3%BC; filename*1=n.txt\n\nsecret\n\
        --out\nContent-Type: image/png\nContent-ID: <x>\n\nx\n\
        --out\nContent-Type: message/rfc822\n\nSubject: Inner\nFrom: Cleo\n\nforwarded\n--out--\nepilogue";
    let whole = |first: &str| {
        mail("Content-Type: multipart/mixed; boundary=\"out\"", &format!("preamble\n--out\n{first}{files}"))
    };
    let extract = read("a.eml", whole(alternative)).unwrap();
    assert_eq!(extract.text, format!("{PEOPLE}\n\nplain\n\nSubject: Inner\nFrom: Cleo\n\nforwarded"));
    assert_eq!(extract.notes, ["Attachments that were not read: a b.pdf, Grün.txt."]);
    assert_eq!(body_of(whole(&only_html)), "html\n\nSubject: Inner\nFrom: Cleo\n\nforwarded");
}

#[test]
fn mail_is_known_by_its_headers_or_its_name() {
    let source = mail("Subject: x", "y");
    assert_eq!(detect("upload", None, source.as_bytes()), Ok(Format::Eml));
    assert_eq!(detect("notes.txt", None, source.as_bytes()), Ok(Format::Text));
    assert_eq!(detect("upload", Some("message/rfc822"), b"Subject: x\n\ny"), Ok(Format::Eml));
    assert_eq!(detect("upload", None, b"Note: this\nto: that\n\ny"), Ok(Format::Text));
    assert_eq!(code("a.eml", "just text"), "corrupt");
    assert_eq!(code("a.eml", mail("Content-Type: multipart/mixed", "x")), "corrupt");
}

#[test]
fn limits_of_mail_hold() {
    // The outermost multipart is the first level, and the text in the innermost the last.
    let nested = |depth: usize| {
        let open: String =
            (1..depth).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
        format!("Subject: x\n{open}\nhello")
    };
    assert_eq!(code("a.eml", nested(limits::EML_DEPTH)), "ok");
    assert_eq!(code("a.eml", nested(limits::EML_DEPTH + 1)), "limit_exceeded");
    let messages = |depth: usize| format!("{}\nhello", "Content-Type: message/rfc822\n\n".repeat(depth));
    assert_eq!(code("a.eml", messages(100_000)), "limit_exceeded");
    let headers = |count: usize| format!("{}\nhello", "A: b\n".repeat(count));
    assert_eq!(code("a.eml", headers(limits::EML_HEADERS)), "ok");
    assert_eq!(code("a.eml", headers(limits::EML_HEADERS + 1)), "limit_exceeded");
    let header = |bytes: usize| format!("A: {}\n\nhello", "x".repeat(bytes - "A: \n\n".len()));
    assert_eq!(code("a.eml", header(limits::EML_HEADER_BYTES)), "ok");
    assert_eq!(code("a.eml", header(limits::EML_HEADER_BYTES + 1)), "limit_exceeded");
    let parts =
        |count: usize| format!("Content-Type: multipart/mixed; boundary=b\n\n{}--b--", "--b\n\nx\n".repeat(count));
    assert_eq!(code("a.eml", parts(limits::EML_PARTS)), "ok");
    assert_eq!(code("a.eml", parts(limits::EML_PARTS + 1)), "limit_exceeded");
}
