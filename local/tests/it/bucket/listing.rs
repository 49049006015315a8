//! ListObjectsV2.

use aws_sdk_s3::types::EncodingType;

use super::server::{BUCKET, Server, refusal, refused};

async fn filled(keys: &[&str]) -> Server {
    let server = Server::start().await;
    for key in keys {
        server.put(key, key).await;
    }
    server
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    let keys = ["a", "a/1", "a/2", "b", "c/1/x", "c/2", "d"];
    let server = filled(&keys).await;
    for size in 1..=8 {
        let mut seen = Vec::new();
        let mut pages = server.client.list_objects_v2().bucket(BUCKET).into_paginator().page_size(size).send();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            assert!(page.key_count().unwrap() <= size);
            seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        assert_eq!(seen, keys, "page size {size}");
    }
}

#[tokio::test]
async fn a_delimiter_folds_each_prefix_once_on_pages_of_any_size() {
    let server = filled(&["a", "a/1", "a/2", "b", "c/1/x", "c/2", "d"]).await;
    for size in 1..=8 {
        let request = server.client.list_objects_v2().bucket(BUCKET).delimiter("/");
        let mut pages = request.into_paginator().page_size(size).send();
        let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
            prefixes.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        }
        assert_eq!((keys, prefixes), (["a", "b", "d"].map(String::from).into(), ["a/", "c/"].map(String::from).into()));
    }
    let inner = server.client.list_objects_v2().bucket(BUCKET).prefix("c/").delimiter("/").send().await.unwrap();
    assert_eq!(inner.common_prefixes()[0].prefix(), Some("c/1/"));
    assert_eq!(inner.contents()[0].key(), Some("c/2"));
}

#[tokio::test]
async fn prefix_start_encoding_and_limits() {
    let server = filled(&["a b/ü", "p/1", "p/2", "p/3", "q"]).await;
    let list = || server.client.list_objects_v2().bucket(BUCKET);
    let keys = |output: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        output.contents().iter().map(|object| object.key().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&list().prefix("p/").start_after("p/1").send().await.unwrap()), ["p/2", "p/3"]);
    assert_eq!(keys(&list().prefix("p/").start_after("a").max_keys(1).send().await.unwrap()), ["p/1"]);
    assert_eq!(keys(&list().start_after("p/9").send().await.unwrap()), ["q"]);
    let encoded = list().encoding_type(EncodingType::Url).prefix("a ").send().await.unwrap();
    assert_eq!((keys(&encoded), encoded.prefix()), (vec!["a%20b/%C3%BC".to_owned()], Some("a%20")));

    let none = list().max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
    assert_eq!(list().max_keys(5000).send().await.unwrap().max_keys(), Some(1000));
    assert_eq!(refusal(list().max_keys(-1).send().await), refused(400, "InvalidArgument"));
    assert_eq!(refusal(list().continuation_token("nonsense").send().await), refused(400, "InvalidArgument"));

    let object = list().prefix("q").send().await.unwrap().contents()[0].clone();
    assert_eq!(object.size(), Some(1));
    assert_eq!(object.e_tag(), Some("\"7694f4a66316e53c8cdd9d9954bd611d\""));
    assert!(object.last_modified().is_some());
}
