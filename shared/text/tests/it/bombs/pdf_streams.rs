//! Bombs inside a PDF's streams: filters, forms, fonts, boxes and operators.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::pdf::{CATALOG, FONT, PAGE, PAGES, file, stream};
use crate::child::Job;

pub fn bombs() -> Vec<Job> {
    let mut jobs = filters();
    jobs.extend(forms());
    jobs.extend(fonts());
    jobs.extend(operators());
    jobs
}

/// A one-page file of this content, with objects from number 6 on added.
fn page(content: Vec<u8>, more: &[Vec<u8>]) -> Vec<u8> {
    file(&[[CATALOG.into(), PAGES.into(), PAGE.into(), content, FONT.into()].as_slice(), more].concat(), "")
}

fn flate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// As many blanks, in pieces, so that the test's own process stays small.
fn flate_blanks(mebibytes: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let blanks = vec![b' '; 1 << 20];
    (0..mebibytes).for_each(|_| encoder.write_all(&blanks).unwrap());
    encoder.finish().unwrap()
}

#[expect(clippy::too_many_lines, reason = "a table of files")]
fn filters() -> Vec<Job> {
    vec![
        Job::one("a page of 100 MB of blanks in 100 kB", "a.pdf", "limit_exceeded", || {
            page(stream("/Filter /FlateDecode", flate_blanks(100)), &[])
        }),
        Job::one("blanks packed twice: 100 MB in 1 kB", "a.pdf", "limit_exceeded", || {
            page(stream("/Filter [/FlateDecode /FlateDecode]", flate(&flate_blanks(100))), &[])
        }),
        Job::one("a thousand filters in a chain", "a.pdf", "limit_exceeded", || {
            let mut body = b"BT /F1 12 Tf (deep) Tj ET".to_vec();
            (0..12).for_each(|_| body = body.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
            page(stream(&format!("/Filter [{}]", "/ASCIIHexDecode ".repeat(1_000)), body), &[])
        }),
        Job::one("300 MB of blanks by run lengths", "a.pdf", "limit_exceeded", || {
            page(stream("/Filter [/FlateDecode /RunLengthDecode]", flate(&[129u8, b' '].repeat(5 << 19))), &[])
        }),
        Job::one("LZW of nothing but its longest code", "a.pdf", "no_text_layer", || {
            page(stream("/Filter [/FlateDecode /LZWDecode]", flate(&vec![0xFF; 8 << 20])), &[])
        }),
        Job::many("predictors of hostile columns", "a.pdf", "no_text_layer", || {
            [
                "/Predictor 12 /Columns 2147483647",
                "/Predictor 15 /Columns 0 /Colors 0",
                "/Predictor 2 /Columns 99999999999 /Colors 99 /BitsPerComponent 99",
                "/Predictor 12 /Columns -1",
                "/Predictor 10 /Colors 2147483647 /Columns 2147483647 /BitsPerComponent 16",
            ]
            .map(|parameters| {
                page(stream(&format!("/Filter /FlateDecode /DecodeParms << {parameters} >>"), flate(&[0; 4096])), &[])
            })
            .to_vec()
        }),
        Job::many("streams that are no stream of their filter", "a.pdf", "no_text_layer", || {
            [
                "FlateDecode",
                "LZWDecode",
                "ASCII85Decode",
                "ASCIIHexDecode",
                "RunLengthDecode",
                "DCTDecode",
                "JPXDecode",
                "JBIG2Decode",
                "CCITTFaxDecode",
                "Crypt",
                "Unknown",
            ]
            .map(|filter| page(stream(&format!("/Filter /{filter}"), [0xC3u8; 999]), &[]))
            .to_vec()
        }),
        Job::one("400 pages that share 8 MB of blanks in 8 kB", "a.pdf", "limit_exceeded", || {
            let kids: String = (0..400).map(|index| format!("{} 0 R ", index + 6)).collect();
            let leaf = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << >> >>".to_vec();
            let tree = format!("<< /Type /Pages /Count 400 /Kids [{kids}] >>").into_bytes();
            let content = stream("/Filter /FlateDecode", flate_blanks(8));
            file(&[vec![CATALOG.into(), tree, PAGE.into(), content, FONT.into()], vec![leaf; 400]].concat(), "")
        }),
        Job::one("one stream a hundred thousand times on one page", "a.pdf", "limit_exceeded", || {
            let leaf = format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 5 0 R >> >> /Contents [{}] >>",
                "4 0 R ".repeat(100_000)
            );
            let content = stream("", "BT /F1 12 Tf (again) Tj ET ".repeat(10));
            file(&[CATALOG.into(), PAGES.into(), leaf.into_bytes(), content, FONT.into()], "")
        }),
    ]
}

fn form(content: &str) -> Vec<u8> {
    let resources = "/Resources << /Font << /F1 5 0 R >> /XObject << /X 6 0 R /Y 7 0 R >> >>";
    stream(&format!("/Type /XObject /Subtype /Form /BBox [0 0 9 9] {resources}"), content)
}

fn forms() -> Vec<Job> {
    let hello = "BT /F1 12 Tf (Hello) Tj ET";
    vec![
        Job::one("a form that draws itself", "a.pdf", "corrupt", move || {
            page(stream("", format!("{hello} /X Do")), &[form("/X Do /X Do"), form("")])
        }),
        Job::one("two forms that draw each other, twice", "a.pdf", "corrupt", move || {
            page(stream("", format!("{hello} /X Do")), &[form("/Y Do /Y Do"), form("/X Do /X Do")])
        }),
        Job::one("forms that each draw the next one ten times, 12 levels", "a.pdf", "limit_exceeded", move || {
            let more: Vec<Vec<u8>> = (0..12).map(|level| {
                let entries = format!("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F1 5 0 R >> /XObject << /N {} 0 R >> >>", level + 7);
                stream(&entries, "BT /F1 9 Tf (ha) Tj ET ".to_owned() + &"/N Do ".repeat(10))
            }).collect();
            page(stream("", format!("{hello} /X Do")), &more)
        }),
        Job::one("forms 5,000 deep", "a.pdf", "limit_exceeded", move || {
            let more: Vec<Vec<u8>> = (0..5_000)
                .map(|level| {
                    stream(
                        &format!(
                            "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /N {} 0 R >> >>",
                            level + 7
                        ),
                        "/N Do",
                    )
                })
                .collect();
            page(stream("", format!("{hello} /X Do")), &more)
        }),
        Job::one("a pattern and a soft mask in circles", "a.pdf", "ok", move || {
            let mask = stream(
                "/Type /Pattern /PatternType 1 /Resources << /Pattern << /P 6 0 R >> /ExtGState << /G 7 0 R >> >> /BBox [0 0 9 9]",
                "/Pattern cs /P scn /G gs 0 0 9 9 re f",
            );
            page(stream("", hello), &[mask, b"<< /Type /ExtGState /SMask << /S /Alpha /G 6 0 R >> >>".to_vec()])
        }),
    ]
}

/// A file whose font is object 5, with a character map in object 6.
fn with_font(font: &str, map: &str, content: &str) -> Vec<u8> {
    file(&[CATALOG.into(), PAGES.into(), PAGE.into(), stream("", content), font.into(), stream("", map)], "")
}

#[expect(clippy::too_many_lines, reason = "a table of files")]
fn fonts() -> Vec<Job> {
    const WIDE: &str = "<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /ToUnicode 6 0 R /DescendantFonts [<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>] >>";
    let map =
        |ranges: &str| format!("begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange {ranges} endcmap");
    let content = "BT /F1 12 Tf 72 700 Td <00010002> Tj ET";
    vec![
        Job::many(
            "character maps of four thousand million codes",
            "a.pdf",
            "limit_exceeded no_text_layer",
            move || {
                [
                    "1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange",
                    "1 beginbfrange <FFFF> <0000> <0041> endbfrange",
                    "1 begincidrange <00000000> <FFFFFFFF> 0 endcidrange",
                    "1 beginbfrange <0000> <FFFF> [<0041>] endbfrange",
                ]
                .map(|ranges| with_font(WIDE, &map(ranges), content))
                .to_vec()
            },
        ),
        Job::one("character map of 60,000 ranges of 65,536 codes each", "a.pdf", "limit_exceeded", move || {
            with_font(
                WIDE,
                &map(&format!("60000 beginbfrange {} endbfrange", "<0000> <FFFF> <0041>\n".repeat(60_000))),
                content,
            )
        }),
        Job::one("character map that turns each code into 16 kB", "a.pdf", "limit_exceeded", move || {
            let ranges = format!("1 beginbfchar <0001> <{}> endbfchar", "0041".repeat(16_384));
            let text = format!("BT /F1 12 Tf 72 700 Td <{}> Tj ET", "0001".repeat(20_000));
            with_font(WIDE, &map(&ranges), &text)
        }),
        Job::one("a character map that uses itself", "a.pdf", "no_text_layer", move || {
            let entries = "/Type /CMap /CMapName /A /UseCMap 6 0 R";
            file(
                &[
                    CATALOG.into(),
                    PAGES.into(),
                    PAGE.into(),
                    stream("", content),
                    WIDE.into(),
                    stream(entries, "/A usecmap"),
                ],
                "",
            )
        }),
        Job::many(
            "widths and differences of thousands of millions of glyphs",
            "a.pdf",
            "corrupt no_text_layer",
            move || {
                let descend = |entries: &str| {
                    format!(
                        "<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /DescendantFonts [<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A {entries} >>] >>"
                    )
                };
                let simple = |entries: &str| format!("<< /Type /Font /Subtype /TrueType /BaseFont /A {entries} >>");
                [
                    descend("/W [0 4294967295 500]"),
                    descend("/W [0 2147483647 500 -5 5 5 1 [2 3] 4]"),
                    simple("/FirstChar 0 /LastChar 4294967295 /Widths [500]"),
                    simple("/FirstChar -5 /LastChar -9 /Widths 5 0 R"),
                    simple("/Encoding << /Differences [4294967295 /A /B -1 /C] >>"),
                    "<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /DescendantFonts [5 0 R] >>"
                        .to_owned(),
                ]
                .map(|font| with_font(&font, "", content))
                .to_vec()
            },
        ),
        Job::one("a glyph that draws itself", "a.pdf", "ok", || {
            let font = "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /CharProcs << /a 6 0 R >> /Encoding << /Differences [97 /a] >> /FirstChar 97 /LastChar 97 /Widths [9] /Resources << /Font << /F1 5 0 R >> >> >>";
            with_font(font, "BT /F1 12 Tf (aa) Tj ET", "BT /F1 12 Tf (aaa) Tj ET")
        }),
        Job::many("font programs of noise", "a.pdf", "ok", || {
            ["FontFile", "FontFile2", "FontFile3 6 0 R /Subtype /CIDFontType0C /X"].map(|key| {
                let font = format!("<< /Type /Font /Subtype /TrueType /BaseFont /A /FontDescriptor << /Type /FontDescriptor /{key} 6 0 R >> >>");
                let noise: Vec<u8> = (0..9_999u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
                file(&[CATALOG.into(), PAGES.into(), PAGE.into(), stream("", "BT /F1 12 Tf (aaa) Tj ET"), font.into(), stream("/Length1 4294967295 /Length2 4294967295", [b"\0\x01\0\0\xFF\xFF%!PS eexec ".to_vec(), noise].concat())], "")
            }).to_vec()
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of files")]
fn operators() -> Vec<Job> {
    let content = |body: String| page(stream("", body), &[]);
    vec![
        Job::many("boxes, matrices and sizes beyond every number", "a.pdf", "corrupt ok", move || {
            let mut files: Vec<Vec<u8>> = [
                "[0 0 1e38 1e38]",
                "[-99999999999999999999 0 99999999999999999999 1]",
                "[0 0 0 0]",
                "[5 5]",
                "3 0 R",
                "[(a) (b) (c) (d)]",
            ]
            .iter()
            .map(|size| {
                let leaf = PAGE.replace("[0 0 612 792]", size);
                file(
                    &[
                        CATALOG.into(),
                        PAGES.into(),
                        leaf.into_bytes(),
                        stream("", "BT /F1 12 Tf (Hello) Tj ET"),
                        FONT.into(),
                    ],
                    "",
                )
            })
            .collect();
            for odd in [
                "1e38 0 0 1e38 0 0 cm",
                "0 0 0 0 0 0 cm",
                "1 0 0 1 1e308 1e308 cm 9 0 0 9 9e307 9e307 cm",
                "99999999999999999999 w",
            ] {
                files.push(content(format!("{odd} BT /F1 1e38 Tf 1e38 TL 1e30 Tc 1e38 Tz 1e30 0 0 1e30 1e38 -1e38 Tm (Hello) Tj T* (there) Tj ET")));
            }
            files
        }),
        Job::one("a million saved states", "a.pdf", "limit_exceeded", move || content("q ".repeat(1_000_000))),
        Job::one("a million operands without an operator", "a.pdf", "no_text_layer", move || {
            content("1 ".repeat(1_000_000))
        }),
        Job::one("operands nested a million deep", "a.pdf", "limit_exceeded", move || content("[".repeat(1_000_000))),
        Job::one("a million marked contents within each other", "a.pdf", "no_text_layer", move || {
            content("/P << /MCID 0 >> BDC ".repeat(300_000))
        }),
        Job::one("200,000 letters, each in its own place", "a.pdf", "limit_exceeded", move || {
            let letters: String = (0..200_000u64)
                .map(|at| format!("1 0 0 1 {} {} Tm (x) Tj ", at * 7919 % 600, at * 104_729 % 780))
                .collect();
            content(format!("BT /F1 1 Tf {letters} ET"))
        }),
        Job::one("20,000 letters in one place", "a.pdf", "ok", move || {
            content(format!("BT /F1 12 Tf {} ET", "1 0 0 1 9 9 Tm (x) Tj ".repeat(20_000)))
        }),
        Job::one("100,000 lines and boxes, as of a table", "a.pdf", "limit_exceeded", move || {
            let lines: String = (0..100_000u64)
                .map(|at| format!("{0} 0 m {0} 700 l S 0 {1} m 600 {1} l S ", at % 600, at * 31 % 780))
                .collect();
            content(format!("{lines} BT /F1 12 Tf 9 9 Td (Hello) Tj ET"))
        }),
        Job::one("a table of 300 by 300 ruled cells", "a.pdf", "ok", move || {
            let rules: String =
                (0..=300).map(|at| format!("{0} 0 m {0} 600 l S 0 {0} m 600 {0} l S ", at * 2)).collect();
            let cells: String =
                (0..90_000).map(|at| format!("1 0 0 1 {} {} Tm (x) Tj ", at % 300 * 2, at / 300 * 2)).collect();
            content(format!("{rules} BT /F1 1 Tf {cells} ET"))
        }),
        Job::many("inline images that never end", "a.pdf", "no_text_layer ok", move || {
            vec![
                content("BT /F1 12 Tf (a) Tj ET BI /W 99999 /H 99999 ID ".to_owned() + &"x".repeat(100_000)),
                content("BI ".repeat(100_000)),
                content("BI ID EI ".repeat(100_000)),
            ]
        }),
        Job::one("a string of 10 MB", "a.pdf", "limit_exceeded", move || {
            content(format!("BT /F1 12 Tf ({}) Tj ET", "word ".repeat(2 << 20)))
        }),
    ]
}
