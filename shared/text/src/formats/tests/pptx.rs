//! Presentations.

use crate::budget::limits;

use super::{archive, code, pages, read, relations};

fn slide(shapes: &str) -> String {
    format!("<p:sld><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>")
}

fn shape(placeholder: &str, paragraphs: &[&str]) -> String {
    let each = |text: &&str| format!("<a:p><a:r><a:t>{text}</a:t></a:r></a:p>");
    let text: String = paragraphs.iter().map(each).collect();
    format!("<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>")
}

const MAIN: &str = "<p:presentation><p:sldIdLst><p:sldId id='256' r:id='b'/><p:sldId id='257' r:id='a'/>\
    <p:sldId id='258' r:id='c'/><p:sldId id='259' r:id='b'/><p:sldId id='260' r:id='gone'/></p:sldIdLst></p:presentation>";

fn presentation(slides: [&str; 3], more: &[(&str, &str)]) -> Vec<u8> {
    let targets =
        [("a", "slide", "slides/slide1.xml"), ("b", "slide", "slides/slide2.xml"), ("c", "slide", "slides/slide3.xml")];
    let relations = relations(&targets);
    let mut entries = vec![
        ("ppt/presentation.xml", MAIN),
        ("ppt/_rels/presentation.xml.rels", &relations),
        ("ppt/slides/slide1.xml", slides[0]),
        ("ppt/slides/slide2.xml", slides[1]),
        ("ppt/slides/slide3.xml", slides[2]),
    ];
    entries.extend_from_slice(more);
    archive(&entries)
}

#[test]
fn slides_are_pages_in_the_order_of_the_show() {
    let table = "<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>Name</a:t></a:r></a:p></a:txBody></a:tc>\
        <a:tc><a:p><a:r><a:t>Price</a:t></a:r></a:p></a:tc></a:tr><a:tr><a:tc><a:p><a:r><a:t>Saw</a:t></a:r></a:p></a:tc>\
        <a:tc><a:p><a:r><a:t>12 &amp; 3</a:t></a:r></a:p></a:tc></a:tr></a:tbl></p:graphicFrame>";
    let last = slide(&[&shape("<p:ph type='title'/>", &["Prices"]), table].concat());
    let first = slide(
        &[
            shape("<p:ph type='ctrTitle'/>", &["Our", "tools"]),
            shape("<p:ph idx='1'/>", &["Saws are sharp.", "Hammers are not."]),
            shape("<p:ph type='sldNum'/>", &["7"]),
            "<mc:AlternateContent><mc:Fallback>".to_owned() + &shape("", &["copy"]) + "</mc:Fallback></mc:AlternateContent>",
            "<p:sp><a:p><a:fld type='slidenum'><a:t>1</a:t></a:fld><a:r><a:t>one</a:t></a:r><a:br/><a:r><a:t>two</a:t></a:r></a:p></p:sp>"
                .to_owned(),
        ]
        .concat(),
    );
    let hidden = slide(&shape("", &["secret"])).replace("<p:sld>", "<p:sld show='0'>");
    let notes = slide(
        &[shape("<p:ph type='sldImg'/>", &["x"]), shape("<p:ph type='body'/>", &["Say hello.", "Smile."])].concat(),
    );
    let links = relations(&[("n", "notesSlide", "../notesSlides/notes1.xml")]);
    let more = [
        ("ppt/slides/_rels/slide2.xml.rels", links.as_str()),
        ("ppt/notesSlides/notes1.xml", &notes),
        ("docProps/core.xml", "<c><dc:title>Tool &amp; talk</dc:title></c>"),
    ];
    let extract = read("a.pptx", presentation([&last, &first, &hidden], &more)).unwrap();
    assert_eq!(
        pages(&extract),
        [
            (1, "Our tools\n\nSaws are sharp.\nHammers are not.\n\none\ntwo\n\nNotes: Say hello.\nSmile."),
            (2, "Prices\n\nName: Saw; Price: 12 & 3"),
        ]
    );
    assert_eq!(extract.title.as_deref(), Some("Tool & talk"));
    assert_eq!(
        extract.headings.iter().map(|heading| heading.title.as_str()).collect::<Vec<_>>(),
        ["Our tools", "Prices"]
    );
    assert_eq!(extract.notes, ["1 hidden slides were left out."]);
}

#[test]
fn presentations_without_words_or_with_broken_parts_are_named() {
    let empty = slide("");
    assert_eq!(code("a.pptx", presentation([&empty, &empty, &empty], &[])), "empty_file");
    assert_eq!(code("a.pptx", presentation(["<p:sld>", &empty, &empty], &[])), "corrupt");
    assert_eq!(code("a.pptx", archive(&[("ppt/presentation.xml", "<p:presentation>")])), "corrupt");
    assert_eq!(code("a.pptx", "just text"), "corrupt");
    // Noise, so that the ratio is not what is exceeded.
    let mut state = 1u32;
    let noise: String = (0..limits::ZIP_INDEX_BYTES)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'0' + (state >> 28) as u8)
        })
        .collect();
    let main = |length: usize| archive(&[("ppt/presentation.xml", format!("<a><!--{}--></a>", &noise[..length]))]);
    let longest = noise.len() - "<a><!----></a>".len();
    assert_eq!(code("a.pptx", main(longest)), "empty_file");
    assert_eq!(code("a.pptx", main(longest + 1)), "limit_exceeded");
}
