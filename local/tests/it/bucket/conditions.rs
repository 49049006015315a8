//! Conditional reads and writes, which `s3s-fs` only half knows.

use aws_sdk_s3::primitives::DateTime;
use tokio::task::JoinSet;

use super::server::{BUCKET, Server, bytes, refusal, refused};

#[tokio::test]
async fn reads() {
    let server = Server::start().await;
    let tag = server.put("k", "hello").await;
    let get = || server.client.get_object().bucket(BUCKET).key("k");
    let head = || server.client.head_object().bucket(BUCKET).key("k");
    let (past, future) = (DateTime::from_secs(1_000_000_000), DateTime::from_secs(4_000_000_000));

    assert_eq!(refusal(get().if_none_match(&tag).send().await).0, 304);
    assert_eq!(refusal(head().if_none_match(&tag).send().await).0, 304);
    assert_eq!(refusal(get().if_none_match("*").send().await).0, 304);
    assert_eq!(refusal(get().if_match("\"other\"").send().await), refused(412, "PreconditionFailed"));
    assert_eq!(refusal(head().if_match("\"other\"").send().await).0, 412);
    assert_eq!(refusal(get().if_modified_since(future).send().await).0, 304);
    assert_eq!(refusal(get().if_unmodified_since(past).send().await).0, 412);

    get().if_match(&tag).send().await.unwrap();
    get().if_none_match("\"other\"").send().await.unwrap();
    get().if_modified_since(past).send().await.unwrap();
    get().if_unmodified_since(future).send().await.unwrap();
    // RFC 9110 §13.2.2: the entity tag decides when both are sent.
    get().if_match(&tag).if_unmodified_since(past).send().await.unwrap();
    get().if_none_match("\"other\"").if_modified_since(future).send().await.unwrap();
}

#[tokio::test]
async fn a_304_repeats_the_validators() {
    let server = Server::start().await;
    let tag = server.put("k", "hello").await;
    let error = server.client.get_object().bucket(BUCKET).key("k").if_none_match(&tag).send().await.unwrap_err();
    let headers = error.raw_response().unwrap().headers();
    assert_eq!(headers.get("etag"), Some(tag.as_str()));
    assert!(headers.get("last-modified").unwrap().ends_with(" GMT"));
}

#[tokio::test]
async fn writes() {
    let server = Server::start().await;
    let put = || server.client.put_object().bucket(BUCKET).key("k").body(bytes("new"));
    assert_eq!(refusal(put().if_match("\"other\"").send().await), refused(404, "NoSuchKey"));
    put().if_none_match("*").send().await.unwrap();
    assert_eq!(refusal(put().if_none_match("*").send().await), refused(412, "PreconditionFailed"));
    assert_eq!(refusal(put().if_match("\"other\"").send().await), refused(412, "PreconditionFailed"));
    assert_eq!(refusal(put().if_none_match("\"other\"").send().await), refused(501, "NotImplemented"));

    let tag = server.put("k", "newer").await;
    let delete = || server.client.delete_object().bucket(BUCKET).key("k");
    assert_eq!(refusal(delete().if_match("\"other\"").send().await), refused(412, "PreconditionFailed"));
    assert_eq!(server.get("k").await, "newer");
    put().if_match(&tag).send().await.unwrap();
    delete().if_match("*").send().await.unwrap();
    assert_eq!(server.keys().await, [""; 0]);
}

#[tokio::test]
async fn of_many_creators_one_wins() {
    let server = Server::start().await;
    let mut creators = JoinSet::new();
    for number in 0..16 {
        let put = server.client.put_object().bucket(BUCKET).key("k").if_none_match("*");
        creators.spawn(put.body(bytes(&number.to_string())).send());
    }
    let outcomes = creators.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(
        outcomes.into_iter().filter(Result::is_err).map(refusal).filter(|(status, _)| *status == 412).count(),
        15
    );
}
