//! Bombs of a PDF's structure: cycles and lies in its page tree, outline, cross-references and object streams.

use crate::child::Job;

pub fn bombs() -> Vec<Job> {
    let mut jobs = trees();
    jobs.extend(references());
    jobs.extend(encryption());
    jobs
}

pub const CATALOG: &str = "<< /Type /Catalog /Pages 2 0 R >>";
pub const PAGES: &str = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>";
pub const PAGE: &str = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> /XObject << /X 6 0 R /Y 7 0 R >> >> >>";
pub const FONT: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";
const HELLO: &str = "BT /F1 12 Tf 72 700 Td (Hello) Tj ET";

pub fn stream(entries: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("<< /Length {} {entries} >>\nstream\n", body.len());
    [head.as_bytes(), body, b"\nendstream"].concat()
}

/// Objects from number 1 on, a true cross-reference table, and what else the trailer says.
pub fn file(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", index + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).bytes());
    places.iter().for_each(|place| file.extend(format!("{place:010} 00000 n \n").bytes()));
    let size = places.len() + 1;
    file.extend(format!("trailer << /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

/// A page that says `Hello`, with its catalog and page tree replaced and objects from number 6 on added.
fn hello(catalog: &str, pages: &str, more: &[String]) -> Vec<u8> {
    let mut objects: Vec<Vec<u8>> = vec![catalog.into(), pages.into(), PAGE.into(), stream("", HELLO), FONT.into()];
    objects.extend(more.iter().map(|object| object.clone().into_bytes()));
    file(&objects, "")
}

#[expect(clippy::too_many_lines, reason = "a table of files")]
fn trees() -> Vec<Job> {
    let chain = |depth: usize| {
        let node = |index: usize| {
            format!("<< /Type /Pages /Count 1 /Kids [{} 0 R] >>", if index == depth - 1 { 3 } else { 7 + index })
        };
        let more: Vec<String> = (0..depth).map(node).collect();
        hello(CATALOG, "<< /Type /Pages /Kids [6 0 R] /Count 1 >>", &more)
    };
    let doubled = |levels: usize| {
        let node = |index: usize| {
            let next = if index == levels - 1 { 3 } else { 7 + index };
            format!("<< /Type /Pages /Count 2 /Kids [{next} 0 R {next} 0 R] >>")
        };
        let more: Vec<String> = (0..levels).map(node).collect();
        hello(CATALOG, "<< /Type /Pages /Kids [6 0 R] /Count 1 >>", &more)
    };
    vec![
        Job::one("a page tree that is its own child", "a.pdf", "corrupt", || {
            hello(CATALOG, "<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>", &[])
        }),
        Job::one("page tree nodes that are each other's children", "a.pdf", "corrupt", || {
            hello(
                CATALOG,
                "<< /Type /Pages /Kids [6 0 R] /Count 1 >>",
                &["<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 1 >>".to_owned()],
            )
        }),
        Job::one("a page tree 20,000 deep", "a.pdf", "limit_exceeded", move || chain(20_000)),
        Job::one("a page tree of two kids each, 40 levels: 2^40 pages", "a.pdf", "limit_exceeded", move || doubled(40)),
        Job::one("one page a million times", "a.pdf", "ok", || {
            hello(CATALOG, &format!("<< /Type /Pages /Count 1000000 /Kids [{}] >>", "3 0 R ".repeat(1_000_000)), &[])
        }),
        Job::many("page counts that lie", "a.pdf", "corrupt ok", || {
            ["2147483647", "-1", "99999999999999999999", "(x)", "1e9"]
                .map(|count| hello(CATALOG, &format!("<< /Type /Pages /Kids [3 0 R] /Count {count} >>"), &[]))
                .to_vec()
        }),
        Job::one("12,000 pages", "a.pdf", "limit_exceeded", || {
            let kids: String = (0..12_000).map(|index| format!("{} 0 R ", index + 6)).collect();
            let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned();
            hello(CATALOG, &format!("<< /Type /Pages /Count 12000 /Kids [{kids}] >>"), &vec![page; 12_000])
        }),
        Job::one("an outline that is its own next item", "a.pdf", "ok", || {
            let catalog = "<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>";
            let item =
                "<< /Title (a) /Parent 6 0 R /Next 7 0 R /First 7 0 R /Last 7 0 R /Dest [3 0 R /Fit] >>".to_owned();
            hello(catalog, PAGES, &["<< /First 7 0 R /Last 7 0 R /Count 9 >>".to_owned(), item])
        }),
        Job::one("an outline 20,000 deep", "a.pdf", "ok", || {
            let catalog = "<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>";
            let more: Vec<String> = (0..20_000)
                .map(|index| {
                    format!("<< /Title (a) /First {} 0 R /Last {} 0 R /Dest [3 0 R /Fit] >>", index + 7, index + 7)
                })
                .collect();
            hello(catalog, PAGES, &more)
        }),
        Job::one("resources, names, forms and structure in circles", "a.pdf", "corrupt", || {
            let catalog = "<< /Type /Catalog /Pages 2 0 R /Names 6 0 R /AcroForm 7 0 R /StructTreeRoot 8 0 R /Dests 6 0 R /PageLabels 6 0 R /OCProperties 6 0 R >>";
            let more = [
                "<< /Kids [6 0 R 6 0 R] /Dests 6 0 R /EmbeddedFiles 6 0 R /Nums [0 6 0 R] /D 6 0 R /OCGs [6 0 R] >>",
                "<< /Fields [7 0 R 7 0 R] /Kids [7 0 R 7 0 R] /Parent 7 0 R /T (x) /FT /Tx >>",
                "<< /Type /StructTreeRoot /K [8 0 R 8 0 R] /P 8 0 R /S /P /ParentTree 8 0 R /Kids [8 0 R] /RoleMap << /P /P >> >>",
            ];
            hello(catalog, PAGES, &more.map(str::to_owned))
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of files")]
fn references() -> Vec<Job> {
    let hostile_length = |length: &str| {
        let body = format!("<< /Length {length} >>\nstream\n{HELLO}\nendstream");
        file(&[CATALOG.into(), PAGES.into(), PAGE.into(), body.into_bytes(), FONT.into(), b"6 0 R".to_vec()], "")
    };
    vec![
        Job::one("a cross-reference table that precedes itself", "a.pdf", "ok", || {
            let whole = hello(CATALOG, PAGES, &[]);
            let table = whole.windows(5).rposition(|window| window == b"xref\n").unwrap();
            let table = whole[..table].windows(5).rposition(|window| window == b"xref\n").unwrap_or(table);
            file(
                &[CATALOG.into(), PAGES.into(), PAGE.into(), stream("", HELLO), FONT.into()],
                &format!("/Prev {table} /XRefStm {table}"),
            )
        }),
        Job::many("a cross-reference table elsewhere than said", "a.pdf", "ok", || {
            ["0", "99999999", "18446744073709551615", "-5", "x"]
                .map(|place| {
                    let whole = String::from_utf8(hello(CATALOG, PAGES, &[])).unwrap();
                    let (head, _) = whole.rsplit_once("startxref").unwrap();
                    format!("{head}startxref\n{place}\n%%EOF\n").into_bytes()
                })
                .to_vec()
        }),
        Job::many("a cross-reference table of thousands of millions of entries", "a.pdf", "ok", || {
            ["0 4294967295", "4294967290 9", "0 99999999999999999999", "-1 5"]
                .map(|section| {
                    let whole = String::from_utf8(hello(CATALOG, PAGES, &[])).unwrap();
                    whole.replace("xref\n0 6", &format!("xref\n{section}")).into_bytes()
                })
                .to_vec()
        }),
        Job::many("a cross-reference stream of hostile widths", "a.pdf", "corrupt", || {
            [
                "/W [1 2 1] /Index [0 4294967295]",
                "/W [8 8 8]",
                "/W [0 0 0] /Index [0 2147483647]",
                "/W [255 255 255]",
                "/W [-1 2 1]",
                "/W [1 2 1] /Index [4294967295 4294967295]",
            ]
            .map(|entries| {
                let mut whole = b"%PDF-1.7\n".to_vec();
                let object = stream(&format!("/Type /XRef /Root 2 0 R /Size 4294967295 {entries}"), [1u8; 64]);
                whole.extend(b"1 0 obj\n");
                whole.extend(object);
                whole.extend(b"\nendobj\nstartxref\n9\n%%EOF\n");
                whole
            })
            .to_vec()
        }),
        Job::many("object streams that contain themselves or a thousand million objects", "a.pdf", "ok", || {
            [
                "/N 1 /First 4",
                "/N 1000000000 /First 4",
                "/N -1 /First -4",
                "/N 1 /First 99999999999",
                "/N 1 /First 4 /Extends 6 0 R",
            ]
            .map(|entries| {
                let inner = stream(&format!("/Type /ObjStm {entries}"), "6 0 6 0 R");
                file(&[CATALOG.into(), PAGES.into(), PAGE.into(), stream("", HELLO), FONT.into(), inner], "")
            })
            .to_vec()
        }),
        Job::many("references that only name themselves", "a.pdf", "corrupt no_text_layer ok", || {
            let own = |number: usize| format!("{number} 0 R").into_bytes();
            let mut files = Vec::new();
            for broken in 1..6 {
                let mut objects: Vec<Vec<u8>> =
                    vec![CATALOG.into(), PAGES.into(), PAGE.into(), stream("", HELLO), FONT.into()];
                objects[broken - 1] = own(broken);
                files.push(file(&objects, ""));
            }
            files
        }),
        Job::many("stream lengths that lie or go in circles", "a.pdf", "no_text_layer ok", move || {
            ["0", "-1", "99999999", "18446744073709551615", "4 0 R", "6 0 R", "(x)"].map(hostile_length).to_vec()
        }),
        Job::many("arrays, dictionaries and strings that never close", "a.pdf", "limit_exceeded ok", || {
            ["[", "<<", "<< /A ", "(", "<", "[<</A[", "("]
                .map(|open| {
                    file(
                        &[
                            CATALOG.into(),
                            PAGES.into(),
                            PAGE.into(),
                            stream("", HELLO),
                            FONT.into(),
                            open.repeat(500_000).into_bytes(),
                        ],
                        "/Info 6 0 R",
                    )
                })
                .to_vec()
        }),
        Job::one("arrays 100,000 deep where the page tree should be", "a.pdf", "limit_exceeded", || {
            hello(CATALOG, &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), &[])
        }),
        Job::one("300,000 objects that nothing refers to", "a.pdf", "ok", || {
            hello(CATALOG, PAGES, &vec!["null".to_owned(); 300_000])
        }),
        Job::many("a PDF with each third of its bytes flipped", "a.pdf", "corrupt no_text_layer ok", || {
            let whole = hello(CATALOG, PAGES, &[]);
            (9..whole.len())
                .step_by(3)
                .map(|at| {
                    let mut broken = whole.clone();
                    broken[at] ^= 0xFF;
                    broken
                })
                .collect()
        }),
        Job::one("10 MB of nothing behind a PDF's header", "a.pdf", "corrupt", || {
            [b"%PDF-1.7\n".to_vec(), vec![0; 10 << 20]].concat()
        }),
        Job::one("a million beginnings of objects", "a.pdf", "limit_exceeded", || {
            [b"%PDF-1.7\n".to_vec(), b"1 0 obj\n".repeat(1_000_000)].concat()
        }),
        Job::one("a million trailers", "a.pdf", "limit_exceeded", || {
            [b"%PDF-1.7\n".to_vec(), b"trailer << /Root 1 0 R >>\n".repeat(300_000)].concat()
        }),
    ]
}

fn encryption() -> Vec<Job> {
    let locked = |dictionary: &str| {
        let objects =
            [CATALOG.into(), PAGES.into(), PAGE.into(), stream("", HELLO), FONT.into(), dictionary.as_bytes().to_vec()];
        file(&objects, "/Encrypt 6 0 R /ID [<00> <00>]")
    };
    vec![
        Job::many("a password that nobody told", "a.pdf", "encrypted", move || {
            let key = "00".repeat(32);
            let long = "11".repeat(48);
            vec![
                locked(&format!("<< /Filter /Standard /V 1 /R 2 /P -4 /O <{key}> /U <{key}> >>")),
                locked(&format!("<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <{key}> /U <{key}> >>")),
                locked(&format!(
                    "<< /Filter /Standard /V 4 /R 4 /Length 128 /P -4 /O <{key}> /U <{key}> /CF << /StdCF << /CFM /AESV2 /Length 16 >> >> /StmF /StdCF /StrF /StdCF >>"
                )),
                locked(&format!(
                    "<< /Filter /Standard /V 5 /R 6 /Length 256 /P -4 /O <{long}> /U <{long}> /OE <{key}> /UE <{key}> /Perms <{}> /CF << /StdCF << /CFM /AESV3 /Length 32 >> >> /StmF /StdCF /StrF /StdCF >>",
                    "22".repeat(16)
                )),
            ]
        }),
        Job::many("encryption that no reader knows", "a.pdf", "corrupt encrypted", move || {
            vec![
                locked("<< /Filter /Other /V 9 /R 9 >>"),
                locked("<< >>"),
                locked("6 0 R"),
                locked("<< /Filter /Standard /V 2 /R 3 /Length -8 /P -4 /O <> /U <> >>"),
                locked("<< /Filter /Standard /V 2 /R 3 /Length 4294967295 /P 99999999999 /O () /U () >>"),
            ]
        }),
    ]
}
