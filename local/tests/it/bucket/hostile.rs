//! Keys that break a store which maps keys to paths.

use super::server::{BUCKET, Server, bytes, refusal, refused};

#[tokio::test]
async fn every_key_is_just_a_name() {
    let server = Server::start().await;
    let long = "s".repeat(300);
    let longest = "k".repeat(1024);
    let mut keys = vec![
        "../../escape.txt",
        "x/../y.txt",
        "y.txt",
        "..",
        ".",
        "./a",
        "dir/a",
        "dir/a/b",
        "dir/a/",
        "dir//a",
        "dir///a",
        "/leading",
        "a b",
        "a+b",
        "a%2Fb",
        "a%20b",
        "a?b=c&d",
        "a#b",
        "日本語/ключ/🦀",
        "e\u{301}",
        "\u{e9}",
        "C:\\windows\\x",
        "CON",
        "tmp",
        "lock",
        "sequencer",
        "back\\slash",
        "quote\"'",
        "<xml>&amp;",
        "star*",
        "~tilde",
        "semi;colon",
        "tab\there",
        &long,
        &longest,
    ];
    for key in &keys {
        server.put(key, key).await;
    }
    for key in &keys {
        assert_eq!(server.get(key).await, *key);
    }
    let server = server.restart().await;
    keys.sort_unstable();
    assert_eq!(server.keys().await, keys, "listing is rebuilt from the sidecars");

    let mut above: Vec<_> =
        std::fs::read_dir(server.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    above.sort_unstable();
    assert_eq!(above, [BUCKET], "nothing is written beside the bucket");
    for key in &keys {
        server.client.delete_object().bucket(BUCKET).key(*key).send().await.unwrap();
    }
    assert!(server.keys().await.is_empty());

    let too_long = server.client.put_object().bucket(BUCKET).key("k".repeat(1025)).body(bytes("x")).send().await;
    assert_eq!(refusal(too_long), refused(400, "KeyTooLongError"));
}
