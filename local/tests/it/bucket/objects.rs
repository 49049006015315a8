//! Put, get, head, copy, delete, size limit, restart.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumMode, Delete, MetadataDirective, ObjectIdentifier};
use docent_local::bucket::DEFAULT_MAX_OBJECT_BYTES;

use super::server::{BUCKET, Server, bytes, refusal, refused};

const MD5_OF_HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

#[tokio::test]
async fn an_object_comes_back_with_everything_it_was_sent_with() {
    let server = Server::start().await;
    let put = server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("a/Übung 1.txt")
        .body(bytes("hello"))
        .content_type("text/plain; charset=utf-8")
        .cache_control("no-store")
        .content_disposition("attachment")
        .content_encoding("gzip")
        .content_language("de")
        .expires(DateTime::from_secs(1_900_000_000))
        .metadata("tenant", "t1")
        .metadata("greeting", "Grüße")
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some(MD5_OF_HELLO));
    assert_eq!(put.checksum_crc32(), Some("NhCmhg=="), "the SDK's default checksum");

    let request = server.client.get_object().bucket(BUCKET).key("a/Übung 1.txt");
    let got = request.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(got.checksum_crc32(), Some("NhCmhg=="));
    assert_eq!(got.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!(got.cache_control(), Some("no-store"));
    assert_eq!(got.content_disposition(), Some("attachment"));
    assert_eq!(got.content_encoding(), Some("gzip"));
    assert_eq!(got.content_language(), Some("de"));
    assert_eq!(got.expires_string(), Some("Sun, 17 Mar 2030 17:46:40 GMT"));
    assert_eq!(got.metadata().unwrap()["tenant"], "t1");
    assert!(got.last_modified().is_some());
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");

    let head = server.client.head_object().bucket(BUCKET).key("a/Übung 1.txt").send().await.unwrap();
    assert_eq!((head.content_length(), head.e_tag()), (Some(5), Some(MD5_OF_HELLO)));
    assert_eq!(head.checksum_crc32(), None, "shown only when asked for");

    assert_eq!(server.put("empty", "").await, "\"d41d8cd98f00b204e9800998ecf8427e\"");
    assert_eq!(server.get("empty").await, "");
}

#[tokio::test]
async fn ranges() {
    let server = Server::start().await;
    server.put("k", "0123456789").await;
    for (range, body, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let got = server.client.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(got.content_range(), Some(content_range));
        assert_eq!(got.content_length(), Some(body.len() as i64));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body.as_bytes());
    }
    let beyond = server.client.get_object().bucket(BUCKET).key("k").range("bytes=10-").send().await;
    assert_eq!(refusal(beyond), refused(416, "InvalidRange"));
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_done_say_so() {
    let server = Server::start().await;
    let client = &server.client;
    assert_eq!(refusal(client.get_object().bucket(BUCKET).key("k").send().await), refused(404, "NoSuchKey"));
    assert_eq!(refusal(client.head_object().bucket(BUCKET).key("k").send().await).0, 404);
    assert_eq!(refusal(client.get_object().bucket("another").key("k").send().await), refused(404, "NoSuchBucket"));
    assert_eq!(refusal(client.list_objects_v2().bucket("another").send().await), refused(404, "NoSuchBucket"));
    client.head_bucket().bucket(BUCKET).send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();

    let tagged = client.put_object().bucket(BUCKET).key("k").tagging("a=b").body(bytes("x")).send().await;
    assert_eq!(refusal(tagged), refused(501, "NotImplemented"));
    let tags = client.get_object_tagging().bucket(BUCKET).key("k").send().await;
    assert_eq!(refusal(tags), refused(501, "NotImplemented"));
    let version = client.get_object().bucket(BUCKET).key("k").version_id("v1").send().await;
    assert_eq!(refusal(version), refused(404, "NoSuchVersion"));
}

#[tokio::test]
async fn copies_keep_or_replace_the_headers() {
    let server = Server::start().await;
    let put = server.client.put_object().bucket(BUCKET).key("a b+c").body(bytes("hello"));
    put.content_type("text/plain").metadata("m", "1").send().await.unwrap();
    let copy = |target: &str| {
        server.client.copy_object().bucket(BUCKET).key(target).copy_source(format!("{BUCKET}/a%20b%2Bc"))
    };

    let copied = copy("kept").send().await.unwrap();
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), Some(MD5_OF_HELLO));
    let replaced = copy("replaced").metadata_directive(MetadataDirective::Replace).content_type("text/html");
    replaced.send().await.unwrap();
    for (key, content_type, metadata) in [("kept", "text/plain", Some("1")), ("replaced", "text/html", None)] {
        let head = server.client.head_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(head.content_type(), Some(content_type));
        assert_eq!(head.metadata().and_then(|all| all.get("m")).map(String::as_str), metadata);
        assert_eq!(server.get(key).await, "hello");
    }

    assert_eq!(refusal(copy("a b+c").send().await), refused(400, "InvalidRequest"));
    let absent = server.client.copy_object().bucket(BUCKET).key("x").copy_source(format!("{BUCKET}/absent"));
    assert_eq!(refusal(absent.send().await), refused(404, "NoSuchKey"));
    let foreign = server.client.copy_object().bucket(BUCKET).key("x").copy_source("another/kept");
    assert_eq!(refusal(foreign.send().await), refused(404, "NoSuchBucket"));
    let changed = copy("x").copy_source_if_match("\"other\"");
    assert_eq!(refusal(changed.send().await), refused(412, "PreconditionFailed"));
}

#[tokio::test]
async fn deletes_one_and_many() {
    let server = Server::start().await;
    for key in ["a", "b", "c"] {
        server.put(key, key).await;
    }
    server.client.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    let named = ["b", "absent"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(named.into())).build().unwrap();
    let done = server.client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((done.deleted().len(), done.errors().len()), (2, 0));
    assert_eq!(server.keys().await, ["c"]);
    assert_eq!(blobs(&server), 1, "the bytes go with the object");

    let many = (0..1001).map(|number| ObjectIdentifier::builder().key(number.to_string()).build().unwrap()).collect();
    let delete = Delete::builder().set_objects(Some(many)).build().unwrap();
    let refusal_of_many = refusal(server.client.delete_objects().bucket(BUCKET).delete(delete).send().await);
    assert_eq!(refusal_of_many, refused(400, "MalformedXML"));
}

#[tokio::test]
async fn the_size_limit_is_exact() {
    assert_eq!(DEFAULT_MAX_OBJECT_BYTES, 50 * 1024 * 1024);
    let server = Server::with(|options| options.max_object_bytes = 10).await;
    server.put("k", "0123456789").await;
    let put = server.client.put_object().bucket(BUCKET).key("k").body(bytes("0123456789x")).send().await;
    assert_eq!(refusal(put), refused(400, "EntityTooLarge"));
    assert_eq!(server.get("k").await, "0123456789");
    assert_eq!(std::fs::read_dir(server.folder().join(BUCKET).join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn objects_survive_a_restart_and_leftovers_do_not() {
    let server = Server::start().await;
    let first = server.put("kept", "one").await;
    server.put("replaced", "old").await;
    server.put("replaced", "new").await;
    server.put("gone", "x").await;
    server.client.delete_object().bucket(BUCKET).key("gone").send().await.unwrap();

    // What a kill between two steps of a write leaves behind: a blob without a sidecar, and a half-written file.
    let root = server.folder().join(BUCKET);
    let sidecar = sidecar(&root.join("objects"), "kept");
    let orphan = sidecar.with_extension("00000000deadbeef");
    std::fs::write(&orphan, "orphan").unwrap();
    std::fs::write(root.join("tmp/half"), "ha").unwrap();

    let server = server.restart().await;
    assert_eq!(server.keys().await, ["kept", "replaced"]);
    assert_eq!((server.get("kept").await, server.get("replaced").await), ("one".into(), "new".into()));
    let head = server.client.head_object().bucket(BUCKET).key("kept").send().await.unwrap();
    assert_eq!(head.e_tag(), Some(first.as_str()));
    assert!(!orphan.exists() && !root.join("tmp/half").exists());
    assert_eq!(blobs(&server), 2);

    std::fs::write(&sidecar, "{").unwrap();
    let server = server.restart().await;
    assert_eq!(server.keys().await, ["replaced"]);
    assert_eq!(blobs(&server), 2, "an unreadable sidecar keeps its blob for repair");
}

#[tokio::test]
async fn large_bodies_stream_both_ways() {
    let server = Server::start().await;
    let body: Vec<u8> = (0..3_000_000u32).map(|index| (index * 7 % 251) as u8).collect();
    let put = server.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from(body.clone()));
    put.send().await.unwrap();
    let got = server.client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == body);
}

fn files(server: &Server) -> Vec<std::path::PathBuf> {
    let shards = std::fs::read_dir(server.folder().join(BUCKET).join("objects")).unwrap();
    shards
        .flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

fn blobs(server: &Server) -> usize {
    files(server).iter().filter(|path| path.extension().unwrap() != "json").count()
}

fn sidecar(objects: &std::path::Path, key: &str) -> std::path::PathBuf {
    let hash: String = {
        use sha2::Digest as _;
        sha2::Sha256::digest(format!("{BUCKET}/{key}")).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    objects.join(&hash[..2]).join(format!("{hash}.json"))
}
