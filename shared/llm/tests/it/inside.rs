//! A server of the operator's own: what is sent, that any answer is told, and the limits on time and size.

use std::time::{Duration, Instant};

use docent_llm::{Ask, Inside, Url, Verb};

use crate::server::{CANARY, Then, answer, json, replay, serve};

const ASK: Ask<'static> =
    Ask { verb: Verb::Get, path: &["collections"], query: None, within: Duration::from_secs(5), largest: 64 };

fn inside(base: Url) -> Inside {
    Inside::new(base, Some(("api-key", CANARY.to_owned().into())))
}

#[tokio::test]
async fn verb_path_query_key_and_body_are_sent_below_the_base() {
    let mut seen = Vec::new();
    let record = |_, request| {
        seen.push(request);
        (json(200, "{}"), Then::Close)
    };
    serve(record, async |url| {
        inside(url.clone()).ask(ASK, None).await.unwrap();
        let put = Ask { verb: Verb::Put, path: &["a b", "points"], query: Some("wait=true"), ..ASK };
        inside(url.join("/below/").unwrap()).ask(put, Some(b"{}".to_vec())).await.unwrap();
        Inside::new(url, None).ask(Ask { verb: Verb::Post, ..ASK }, Some(b"[]".to_vec())).await.unwrap();
    })
    .await;
    assert!(seen[0].starts_with("GET /collections HTTP/1.1\r\n"), "{}", seen[0]);
    assert!(seen[0].contains(&format!("api-key: {CANARY}\r\n")), "{}", seen[0]);
    assert!(seen[1].starts_with("PUT /below/a%20b/points?wait=true HTTP/1.1\r\n"), "{}", seen[1]);
    assert!(seen[1].contains("content-type: application/json\r\n") && seen[1].ends_with("\r\n\r\n{}"), "{}", seen[1]);
    assert!(seen[2].starts_with("POST /collections HTTP/1.1\r\n") && !seen[2].contains("api-key"), "{}", seen[2]);
}

#[tokio::test]
async fn every_status_is_an_answer_and_no_redirect_is_followed() {
    for status in [200, 302, 401, 404, 409, 500] {
        let wire = answer(status, "content-type: text/plain\nlocation: http://127.0.0.1:9/", "said");
        let answer = replay(&wire, async |url| inside(url).ask(ASK, None).await.unwrap()).await;
        assert_eq!((answer.status, answer.body.as_slice()), (status, b"said".as_slice()));
    }
}

#[tokio::test]
async fn time_and_size_are_limited_and_nothing_secret_is_printed() {
    let ask = Ask { within: Duration::from_millis(80), ..ASK };
    let open = json(200, "[");
    let hanging = |_, _| (Vec::new(), Then::Hang);
    let dripping = |_, _| (open.clone(), Then::Repeat(b" ", Duration::from_millis(30)));
    let began = Instant::now();
    let silent = serve(hanging, async |url| inside(url).ask(ask, None).await.err().unwrap()).await;
    let slow = serve(dripping, async |url| inside(url).ask(ask, None).await.err().unwrap()).await;
    assert_eq!([silent.code(), slow.code()], ["provider_timeout"; 2]);
    assert!(began.elapsed() < Duration::from_secs(2));
    for (length, fits) in [(64, true), (65, false)] {
        let wire = json(200, &"a".repeat(length));
        assert_eq!(replay(&wire, async |url| inside(url).ask(ASK, None).await.is_ok()).await, fits, "{length}");
    }
    let away = inside("http://127.0.0.1:1".parse().unwrap()).ask(ASK, None).await.err().unwrap();
    assert_eq!(away.code(), "provider_unavailable");
    let named = inside(format!("http://u:{CANARY}@10.0.0.1:6333/{CANARY}").parse().unwrap());
    assert_eq!(format!("{named:?}"), "Inside(http://10.0.0.1:6333)");
}
