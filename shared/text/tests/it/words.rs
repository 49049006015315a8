//! Terms, sentences and the hash embedder by example.

use docent_text::{hash, sentences, term_counts, terms};

#[test]
fn terms_are_what_questions_and_documents_share() {
    let cases: [(&str, &[&str]); 18] = [
        ("The running dogs", &["the", "run", "dog"]),
        ("ＦＵＬＬ ﬁne", &["full", "fine"]),
        ("user's can’t", &["user", "can't"]),
        ("getUserName", &["getusername", "get", "user", "name"]),
        ("HTTPServer", &["httpserver", "http", "server"]),
        ("max_pool_size", &["max_pool_size", "max", "pool", "size"]),
        ("tokio.spawn()", &["tokio.spawn", "tokio", "spawn"]),
        ("3.14 1,000", &["3.14", "1,000"]),
        ("SHA256", &["sha256", "sha", "256"]),
        ("café", &["cafe"]),
        ("東京都", &["東京", "京都"]),
        ("猫", &["猫"]),
        ("東京 大阪", &["東京", "大阪"]),
        ("ไทย", &["ไท", "ทย"]),
        ("книгами", &["книг"]),
        ("well-known", &["well", "known"]),
        ("a \u{612}", &["a", "\u{612}"]),
        ("", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(terms(text), expected, "{text}");
    }
}

#[test]
fn other_languages_are_stemmed_twice_and_meet_short_questions() {
    let document = terms("Die Verträge der Kunden und die Häuser sind nicht verkauft");
    assert!(terms("Vertrag").iter().any(|term| document.contains(term)), "{document:?}");
    for question in ["Verträge", "Häuser"] {
        assert!(terms(question).iter().all(|term| document.contains(term)), "{question} {document:?}");
    }
}

#[test]
fn counts_add_up_to_the_length() {
    let counted = term_counts("cat dog cats");
    assert_eq!((counted.counts["cat"], counted.counts["dog"], counted.length), (2, 1, 3));
}

#[test]
fn endless_words_are_not_indexed() {
    assert_eq!(terms(&format!("a {} b", "x".repeat(65))), ["a", "b"]);
}

#[test]
fn sentences_survive_wrapping_and_abbreviations() {
    let cases: [(&str, &[&str]); 9] = [
        ("One. Two! Three?", &["One.", "Two!", "Three?"]),
        ("  Wrapped by\nan editor. Next.", &["Wrapped by\nan editor.", "Next."]),
        ("- item one\n- item two", &["- item one", "- item two"]),
        ("Dr. Smith met J. R. Tolkien. They talked.", &["Dr. Smith met J. R. Tolkien.", "They talked."]),
        ("See Fig. 3 for it. Then go.", &["See Fig. 3 for it.", "Then go."]),
        ("Para one\n\npara two", &["Para one", "para two"]),
        ("id: 1; name: oak\nid: 2; name: elm\nidle talk", &["id: 1; name: oak", "id: 2; name: elm\nidle talk"]),
        ("吾輩は猫である。名前はまだ無い。", &["吾輩は猫である。", "名前はまだ無い。"]),
        (" \n ", &[]),
    ];
    for (text, expected) in cases {
        let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn hashed_vectors_are_unit_stable_and_closer_for_shared_words() {
    let similarity = |left: &str, right: &str| -> f32 {
        hash::embed(left).iter().zip(hash::embed(right)).map(|(left, right)| left * right).sum()
    };
    for text in ["", "the", "Refunds take five days", "返金は五日かかります"] {
        let vector = hash::embed(text);
        assert_eq!(vector.len(), hash::DIMENSIONS);
        assert!((similarity(text, text) - 1.0).abs() < 1e-5, "{text}");
        assert_eq!(vector, hash::embed(text));
    }
    let question = "How long does a refund take?";
    assert!(similarity(question, "Refunds take five days") > 0.3);
    assert!(similarity(question, "Our office is in Lisbon") < 0.2);
    // Stored vectors depend on the exact function, so a change must be seen.
    let vector = hash::embed("refund");
    let at = vector.iter().position(|value| *value != 0.0).unwrap();
    assert_eq!((at, vector[at]), (66, -1.0));
}
