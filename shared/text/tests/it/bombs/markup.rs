//! Bombs of HTML and Markdown: depth, and everything that is quadratic in a careless parser.

use crate::child::Job;

pub fn bombs() -> Vec<Job> {
    let mut jobs = html();
    jobs.extend(markdown());
    jobs
}

fn repeated(name: &str, file: &str, codes: &'static str, piece: &'static str, times: usize) -> Job {
    Job::one(name, file, codes, move || piece.repeat(times).into_bytes())
}

fn html() -> Vec<Job> {
    vec![
        repeated("HTML nested a million deep", "a.html", "limit_exceeded", "<div>", 1_000_000),
        repeated("HTML of formatting that never closes", "a.html", "limit_exceeded", "<b><i><u>x", 300_000),
        repeated("HTML of ends without a beginning", "a.html", "empty_file", "</p></div>", 500_000),
        repeated("HTML of tags that never end", "a.html", "empty_file", "<a ", 1_000_000),
        repeated("HTML of comments that never end", "a.html", "empty_file", "<!--", 1_000_000),
        repeated("HTML of scripts that never end", "a.html", "empty_file", "<script><!--", 500_000),
        repeated("HTML of titles that never end", "a.html", "empty_file", "<title>", 500_000),
        repeated("HTML of character data that never ends", "a.html", "empty_file", "<svg><![CDATA[", 300),
        repeated("HTML of ampersands", "a.html", "ok", "&", 2_000_000),
        repeated("HTML of entities that break off", "a.html", "ok", "&#x&#&CounterClockwiseContourIntegra", 100_000),
        repeated("HTML of quotes", "a.html", "empty_file", "<a b=\"'", 500_000),
        repeated("HTML tables within tables", "a.html", "limit_exceeded", "<table><tr><td>x", 100_000),
        repeated("HTML lists within lists", "a.html", "limit_exceeded", "<ul><li>x", 100_000),
        repeated("HTML of nested links and headings", "a.html", "limit_exceeded", "<a href=x><h1>y", 100_000),
        Job::one("HTML element with half a million attributes", "a.html", "ok", || {
            let attributes: String = (0..500_000).map(|index| format!(" a{index}=b")).collect();
            format!("<p{attributes}>x").into_bytes()
        }),
        Job::one("HTML element with one attribute half a million times", "a.html", "ok", || {
            format!("<p{}>x", " a=b".repeat(500_000)).into_bytes()
        }),
        Job::one("HTML cell that spans four thousand million columns", "a.html", "ok", || {
            b"<table><tr><th colspan=4294967295 rowspan=4294967295>a<tr><td>b</table>".to_vec()
        }),
        Job::one("HTML header cell of a megabyte over many rows", "a.html", "ok", || {
            format!("<table><tr><th>{}<th>b{}", "h".repeat(1 << 20), "<tr><td>1<td>2".repeat(10_000)).into_bytes()
        }),
        Job::one("HTML table of a row of 100,000 cells and 100,000 rows of one", "a.html", "limit_exceeded", || {
            format!("<table><tr>{}{}", "<td>x".repeat(100_000), "<tr><td>y".repeat(100_000)).into_bytes()
        }),
        Job::one("HTML that declares UTF-16 in ASCII", "a.html", "ok", || b"<meta charset=utf-16><p>Plain".to_vec()),
    ]
}

fn markdown() -> Vec<Job> {
    vec![
        repeated("Markdown of opening brackets", "a.md", "ok", "[", 1_000_000),
        repeated("Markdown of links that never close", "a.md", "limit_exceeded", "[a](", 300_000),
        repeated("Markdown of links into links", "a.md", "limit_exceeded", "[a](<b", 300_000),
        repeated("Markdown of images of images", "a.md", "limit_exceeded", "![[]()", 300_000),
        repeated("Markdown of emphasis that never closes", "a.md", "limit_exceeded", "*a _b ", 300_000),
        repeated("Markdown of emphasis of every length", "a.md", "limit_exceeded", "a**b***c_d__e", 100_000),
        repeated("Markdown of strikes", "a.md", "ok", "~a~~b", 200_000),
        repeated("Markdown quotes a million deep", "a.md", "limit_exceeded", "> ", 1_000_000),
        repeated("Markdown lists a million deep", "a.md", "limit_exceeded", "- ", 1_000_000),
        repeated("Markdown of HTML that never ends", "a.md", "limit_exceeded", "<a href=\"", 200_000),
        repeated("Markdown of comments that never end", "a.md", "limit_exceeded", "a <!-- b", 200_000),
        repeated("Markdown of declarations", "a.md", "limit_exceeded", "a <![CDATA[ <!A <? ", 100_000),
        repeated("Markdown of entities", "a.md", "limit_exceeded", "&#x1;&amp;&", 300_000),
        repeated("Markdown of dollars", "a.md", "ok", "$a$$b", 200_000),
        repeated("Markdown of table rows without a table", "a.md", "ok", "|a|b\n", 300_000),
        Job::one("Markdown of code spans of every length", "a.md", "limit_exceeded", || {
            (1..3_000).map(|length| format!("a{}", "`".repeat(length))).collect::<String>().into_bytes()
        }),
        Job::one("Markdown of definitions and references to them", "a.md", "ok", || {
            let definitions: String = (0..100_000).map(|index| format!("[r{index}]: http://e/{index}\n")).collect();
            let uses: String = (0..100_000).map(|index| format!("[r{index}] ")).collect();
            format!("{definitions}\n{uses}").into_bytes()
        }),
        Job::one("Markdown definition of a megabyte used 100,000 times", "a.md", "limit_exceeded", || {
            format!("[r]: http://e/{}\n\n{}", "x".repeat(1 << 20), "[r] ".repeat(100_000)).into_bytes()
        }),
        Job::one("Markdown footnotes that name each other", "a.md", "ok", || {
            (0..20_000).map(|index| format!("[^{index}]: see [^{}]\n\n", index + 1)).collect::<String>().into_bytes()
        }),
        Job::one("Markdown table of 20,000 columns and 20,000 short rows", "a.md", "limit_exceeded", || {
            format!("{}|\n{}|\n{}", "|a".repeat(20_000), "|-".repeat(20_000), "|x\n".repeat(20_000)).into_bytes()
        }),
        Job::one("Markdown indented ever deeper", "a.md", "limit_exceeded", || {
            (0..3_000).map(|depth| format!("{}- x\n", "  ".repeat(depth))).collect::<String>().into_bytes()
        }),
        Job::one("front matter that never ends", "a.md", "ok", || {
            format!("---\ntitle: x\n{}", "key: value\n".repeat(200_000)).into_bytes()
        }),
    ]
}
