//! Workbooks.

use super::{archive, code, pages, read, relations};
use crate::budget::limits;

const STRINGS: &str = "<sst><si><t>Name</t></si><si><r><t>Pri</t></r><r><t>ce</t></r></si>\
    <si><t>東京</t><rPh><t>トウキョウ</t></rPh></si></sst>";

const STYLES: &str = r##"<styleSheet>
    <numFmts><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd;@"/><numFmt numFmtId="165" formatCode="#,##0.00\ [$€-407]"/>
    <numFmt numFmtId="166" formatCode="[h]:mm"/><numFmt numFmtId="167" formatCode="&quot;day &quot;0"/>
    <numFmt numFmtId="168" formatCode="[Red]0.0%"/><numFmt numFmtId="169" formatCode="d/m/yy h:mm"/></numFmts>
    <cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
    <cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/>
    <xf numFmtId="167"/><xf numFmtId="168"/><xf numFmtId="169"/><xf numFmtId="2"/><xf numFmtId="20"/></cellXfs></styleSheet>"##;

/// A workbook of sheets that are given by their rows.
pub(crate) fn workbook(names: &[&str], rows: &[String]) -> Vec<u8> {
    workbook_with("<workbookPr/>", names, rows)
}

fn workbook_with(properties: &str, names: &[&str], rows: &[String]) -> Vec<u8> {
    let state = |name: &str| if name == "Hidden" { "hidden" } else { "visible" };
    let sheet = |(at, name): (usize, &&str)| {
        format!(r#"<sheet name="{name}" sheetId="{}" state="{}" r:id="r{at}"/>"#, at + 7, state(name))
    };
    let sheets: String = names.iter().enumerate().map(sheet).collect();
    let main = format!("<workbook>{properties}<sheets>{sheets}</sheets></workbook>");
    let targets: Vec<(String, String)> =
        (0..rows.len()).map(|at| (format!("r{at}"), format!("/xl/s{at}.xml"))).collect();
    let mut given: Vec<(&str, &str, &str)> =
        targets.iter().map(|(id, target)| (&**id, "worksheet", &**target)).collect();
    given.extend([("x", "sharedStrings", "sharedStrings.xml"), ("y", "styles", "styles.xml")]);
    let mut entries = vec![
        ("xl/workbook.xml".to_owned(), main),
        ("xl/_rels/workbook.xml.rels".to_owned(), relations(&given)),
        ("xl/sharedStrings.xml".to_owned(), STRINGS.to_owned()),
        ("xl/styles.xml".to_owned(), STYLES.to_owned()),
    ];
    let data = |rows: &String| format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    entries.extend(rows.iter().enumerate().map(|(at, rows)| (format!("xl/s{at}.xml"), data(rows))));
    archive(&entries.iter().map(|(name, content)| (name.as_str(), content)).collect::<Vec<_>>())
}

#[test]
fn sheets_are_pages_and_rows_name_their_columns() {
    let first = "<row r='1'><c r='A1' t='inlineStr'><is><t>All prices &amp; more</t></is></c></row>\
        <row r='3'><c r='B3' t='s'><v>0</v></c><c r='C3' t='s'><v>1</v></c><c r='E3' t='str'><f>1&amp;2</f><v>Sold</v></c></row>\
        <row r='4'><c r='B4' t='s'><v>2</v></c><c r='C4' s='3'><v>1234.5</v></c><c r='D4'><v>7</v></c><c r='E4' t='b'><v>1</v></c></row>\
        <row r='5'><c r='C5' t='e'><v>#N/A</v></c><c r='E5' t='s'><v>99</v></c></row><row r='6'/>";
    let rows = [
        first.to_owned(),
        "<row><c t='str'><v>secret</v></c></row>".to_owned(),
        "<row><c><v>1</v></c><c><v>2</v></c></row>".to_owned(),
    ];
    let extract = read("a.xlsx", workbook(&["Prices &lt;2024&gt;", "Hidden", "Lone"], &rows)).unwrap();
    assert_eq!(
        pages(&extract),
        [
            (1, "Prices <2024>\n\nAll prices & more\nName: 東京; Price: 1234.50 €; 7; Sold: TRUE\nPrice: #N/A"),
            (3, "Lone\n\n1; 2"),
        ]
    );
    assert_eq!(extract.notes, ["1 hidden sheets were left out."]);
}

#[test]
fn numbers_and_dates_read_as_they_are_shown() {
    let cases = [
        (0, "0.30000000000000004", "0.3"),
        (0, "1E-3", "0.001"),
        (0, "123456789012", "123456789012"),
        (0, "1E+20", "1e20"),
        (0, "-0.5", "-0.5"),
        (0, "n/a", "n/a"),
        (1, "45356", "2024-03-05"),
        (1, "60", "1900-02-28"),
        (1, "1", "1900-01-01"),
        (1, "-3", "-3"),
        (1, "2958465", "9999-12-31"),
        (1, "2958466", "2958466"),
        (2, "45351", "2024-02-29"),
        (4, "1.5", "36:00"),
        (5, "12", "day 12"),
        (6, "0.1234", "12.3%"),
        (7, "45356.604166666664", "2024-03-05 14:30"),
        (8, "2", "2.00"),
        (9, "0.25", "06:00"),
        (77, "5", "5"),
    ];
    for (style, value, expected) in cases {
        let rows = [format!("<row><c s='{style}'><v>{value}</v></c></row>")];
        assert_eq!(
            read("a.xlsx", workbook(&["S"], &rows)).unwrap().text,
            format!("S\n\n{expected}"),
            "{style} {value}"
        );
    }
    let rows = ["<row><c s='1'><v>43894</v></c></row>".to_owned()];
    let later = workbook_with("<workbookPr date1904='1'/>", &["S"], &rows);
    assert_eq!(read("a.xlsx", later).unwrap().text, "S\n\n2024-03-05");
}

#[test]
fn limits_of_sheets_hold() {
    let cell = |place: &str| workbook(&["S"], &[format!("<row><c r='{place}'><v>1</v></c></row>")]);
    assert_eq!(limits::XLSX_COLUMNS, 16_384);
    assert_eq!(code("a.xlsx", cell("XFD1")), "ok");
    assert_eq!(code("a.xlsx", cell("XFE1")), "limit_exceeded");
    assert_eq!(code("a.xlsx", cell("ZZZZZZZZZZ1")), "limit_exceeded");
    assert_eq!(code("a.xlsx", workbook(&["S"], &[String::new()])), "empty_file");
    assert_eq!(code("a.xlsx", workbook(&["S"], &["<row>".to_owned()])), "corrupt");
    assert_eq!(code("a.xlsx", archive(&[("xl/workbook.xml", "<workbook>")])), "corrupt");
    assert_eq!(code("a.xlsx", "just text"), "corrupt");
}
