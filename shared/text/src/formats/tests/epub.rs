//! E-books.

use super::{archive, code, read};

const CONTAINER: &str =
    r#"<container><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="x"/></rootfiles></container>"#;

fn package(more: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><package><metadata><dc:title>Saws &amp; hammers</dc:title><dc:title>Sub</dc:title></metadata>
        <manifest><item id="b" href="text/two%20b.xhtml" media-type="application/xhtml+xml"/>
        <item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/>
        <item id="css" href="style.css" media-type="text/css"/>{more}</manifest>
        <spine><itemref idref="nav"/><itemref idref="a"/><itemref idref="b"/><itemref idref="a"/><itemref idref="css"/></spine></package>"#
    )
}

const ONE: &str = "<?xml version='1.0'?><!DOCTYPE html><html><head><title>x</title><script src='a.js'/></head>\
    <body><h2>Of saws</h2><p>A saw<br/>cuts &eacute;verything.</p><svg/><p>Really.</p></body></html>";
const TWO: &str = "<html><head><title/></head><body><p>A hammer hits.</p></body></html>";

fn book(package: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut entries = vec![
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", CONTAINER),
        ("OEBPS/book.opf", package),
        ("OEBPS/text/one.xhtml", ONE),
        ("OEBPS/text/two b.xhtml", TWO),
    ];
    entries.extend_from_slice(more);
    archive(&entries)
}

const TEXT: &str = "Of saws\n\nA saw\ncuts éverything.\n\nReally.\n\nOf hammers\n\nA hammer hits.";

#[test]
fn chapters_stand_in_reading_order_under_their_headings() {
    let nav = "<!DOCTYPE html><html><nav><ol><li><a href='text/one.xhtml#x'>No. 1</a></li>\
        <li><a href='text/two%20b.xhtml'>Of <b>hammers</b></a></li></ol></nav></html>";
    let item = r#"<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>"#;
    let extract = read("a.epub", book(&package(item), &[("OEBPS/nav.xhtml", nav)])).unwrap();
    assert_eq!((extract.text.as_str(), extract.title.as_deref()), (TEXT, Some("Saws & hammers")));
    let headings: Vec<_> = extract.headings.iter().map(|heading| (heading.level, heading.title.as_str())).collect();
    assert_eq!(headings, [(2, "Of saws"), (1, "Of hammers")]);
}

#[test]
fn older_books_name_their_chapters_too() {
    let ncx = "<?xml version='1.0'?><!DOCTYPE ncx><ncx><navMap><navPoint><navLabel><text>One</text></navLabel>\
        <content src='text/one.xhtml'/></navPoint><navPoint><navLabel><text>Of hammers</text></navLabel>\
        <content src='text/two%20b.xhtml#start'/></navPoint></navMap></ncx>";
    let item = r#"<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>"#;
    assert_eq!(read("a", book(&package(item), &[("OEBPS/toc.ncx", ncx)])).unwrap().text, TEXT);
}

#[test]
fn protected_and_broken_books_are_named() {
    let encryption = |method: &str| {
        format!(
            "<encryption><enc:EncryptedData><enc:EncryptionMethod Algorithm='{method}'/></enc:EncryptedData></encryption>"
        )
    };
    let with = |method: &str| book(&package(""), &[("META-INF/encryption.xml", &encryption(method))]);
    assert_eq!(code("a.epub", with("http://www.w3.org/2001/04/xmlenc#aes256-cbc")), "encrypted");
    assert_eq!(code("a.epub", with("http://www.idpf.org/2008/embedding")), "ok");
    assert_eq!(code("a.epub", archive(&[("META-INF/container.xml", "<container/>")])), "corrupt");
    assert_eq!(code("a.epub", archive(&[("META-INF/container.xml", CONTAINER)])), "corrupt");
    assert_eq!(code("a.epub", book("<package/>", &[])), "empty_file");
    assert_eq!(code("a.epub", "just text"), "corrupt");
    let odt = [("mimetype", "application/vnd.oasis.opendocument.text"), ("META-INF/manifest.xml", "<m/>")];
    assert_eq!(code("a.odt", archive(&odt)), "unsupported_type");
}
