//! What the environment may say, and what stops the start.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().fold(Environment::default(), |environment, (name, value)| environment.with(name, *value))
}

#[test]
fn limits_follow_the_environment() {
    type Row = (&'static [(&'static str, &'static str)], [u32; 4]);
    let table: [Row; 6] = [
        (&[], [60, 1200, 20, 60]),
        (&[("VERCEL_ENV", "preview")], [100, 2000, 100, 100]),
        (&[("VERCEL_ENV", "development")], [1000, 20_000, 1000, 1000]),
        (&[("VERCEL_ENV", "preview"), ("DOCENT_ENV", "production")], [60, 1200, 20, 60]),
        (&[("RATE_LIMIT_PER_MINUTE", "9")], [9, 180, 9, 9]),
        (
            &[
                ("RATE_LIMIT_TENANT_PER_MINUTE", "3"),
                ("RATE_LIMIT_VISITOR_PER_MINUTE", "2"),
                ("RATE_LIMIT_ADDRESS_PER_MINUTE", "1"),
            ],
            [60, 3, 2, 1],
        ),
    ];
    for (pairs, rates) in table {
        let environment = environment(pairs);
        let Rates { token, tenant, visitor, address } = Rates::read(&environment).unwrap();
        assert_eq!([token, tenant, visitor, address].map(|policy| policy.limit), rates, "{pairs:?}");
        assert_eq!([token, tenant, visitor, address].map(|policy| policy.window_seconds), [60; 4]);
    }
}

#[test]
fn r2_is_not_reached_with_the_platforms_own_key() {
    let platform = environment(&[
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "role"),
        ("AWS_SECRET_ACCESS_KEY", "of the role"),
        ("AWS_SESSION_TOKEN", "session"),
        ("S3_BUCKET", "docent"),
    ]);
    let seen = |environment: &Environment| {
        let bucket = Bucket::read(environment).unwrap();
        (bucket.access_key, bucket.region, bucket.session_token.is_some(), bucket.endpoint.map(|url| url.to_string()))
    };
    let own = |key: &str, region: &str, session, endpoint: Option<&str>| {
        (key.to_owned(), region.to_owned(), session, endpoint.map(str::to_owned))
    };
    assert_eq!(seen(&platform), own("role", "us-east-1", true, None));
    let account = platform.with("CLOUDFLARE_R2_ACCOUNT_ID", "acc");
    let r2 = Some("https://acc.r2.cloudflarestorage.com/");
    assert_eq!(seen(&account), own("role", "auto", true, r2));
    let key = account.with("CLOUDFLARE_R2_ACCESS_KEY_ID", "r2-key");
    assert_eq!(Bucket::read(&key).unwrap_err().variable, "CLOUDFLARE_R2_SECRET_ACCESS_KEY");
    let whole = key.with("CLOUDFLARE_R2_SECRET_ACCESS_KEY", "r2-secret");
    assert_eq!(seen(&whole), own("r2-key", "auto", false, r2));
    assert_eq!(seen(&whole.with("S3_ENDPOINT", "http://minio:9000")).0, "role");
}

#[test]
fn a_file_may_be_larger_when_it_need_not_be_held_as_a_whole() {
    const MB: u64 = 1024 * 1024;
    type Row = (&'static [(&'static str, &'static str)], u64, u64);
    let table: [Row; 6] = [
        (&[], 50 * MB, 500 * MB),
        (&[("VERCEL", "1")], 50 * MB, 150 * MB),
        (&[("MAX_UPLOAD_BYTES", "7")], 7, 7),
        (&[("MAX_STREAM_BYTES", "7")], 50 * MB, 7),
        (&[("MAX_UPLOAD_BYTES", "7"), ("MAX_STREAM_BYTES", "9")], 7, 9),
        (&[("MAX_UPLOAD_BYTES", "104857600"), ("MAX_STREAM_BYTES", "1073741824")], 100 * MB, 1024 * MB),
    ];
    for (pairs, whole, streamed) in table {
        let limits = Limits::read(&environment(pairs)).unwrap();
        assert_eq!((limits.upload_bytes, limits.stream_bytes), (whole, streamed), "{pairs:?}");
        for (name, declared, expected) in [
            ("a.pdf", None, whole),
            ("a.docx", None, whole),
            ("a.html", None, whole),
            ("a.json", None, whole),
            ("a.txt", None, streamed),
            ("a.CSV", None, streamed),
            ("a.tsv", None, streamed),
            ("a.jsonl", None, streamed),
            ("a", Some("text/csv; charset=utf-8"), streamed),
            ("a", Some("application/pdf"), whole),
        ] {
            assert_eq!(limits.file_bytes(name, declared), expected, "{name} {declared:?}");
        }
    }
}

#[test]
fn a_qdrant_has_an_address_of_any_network_and_perhaps_a_key() {
    let read = |pairs: &[(&str, &str)]| Qdrant::read(&environment(pairs));
    assert!(read(&[]).unwrap().is_none());
    for url in ["http://127.0.0.1:6333/", "http://10.0.0.7:6333/", "https://x.cloud.qdrant.io:6333/below"] {
        let qdrant = read(&[("QDRANT_URL", url), ("QDRANT_API_KEY", "canary")]).unwrap().unwrap();
        assert_eq!(qdrant.url.as_str(), url);
        assert!(!format!("{qdrant:?}").contains("canary"));
        assert!(read(&[("QDRANT_URL", url)]).unwrap().unwrap().key.is_none());
    }
    assert_eq!(read(&[("QDRANT_API_KEY", "canary")]).unwrap_err().variable, "QDRANT_URL");
    for wrong in [
        "127.0.0.1:6333",
        "grpc://qdrant:6334",
        "https://",
        "https://me@host",
        "https://u:canary@host",
        "http://host/?k=1",
    ] {
        let error = read(&[("QDRANT_URL", wrong)]).unwrap_err();
        assert!(error.variable == "QDRANT_URL" && !error.to_string().contains("canary"), "{wrong}");
    }
}

#[test]
fn a_redis_has_an_address_and_a_token() {
    let read = |pairs: &[(&str, &str)]| Redis::read(&environment(pairs));
    assert!(read(&[]).unwrap().is_none());
    for (url, token) in
        [("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"), ("KV_REST_API_URL", "KV_REST_API_TOKEN")]
    {
        let redis = read(&[(url, "https://eu1.upstash.io"), (token, "canary")]).unwrap().unwrap();
        assert_eq!(redis.url.as_str(), "https://eu1.upstash.io/");
        assert!(!format!("{redis:?}").contains("canary"));
        assert_eq!(read(&[(url, "https://eu1.upstash.io")]).unwrap_err().variable, token);
        assert_eq!(read(&[(token, "canary")]).unwrap_err().variable, url);
        for wrong in ["eu1.upstash.io", "redis://eu1.upstash.io:6379", "https://"] {
            assert_eq!(read(&[(url, wrong), (token, "canary")]).unwrap_err().variable, url, "{wrong}");
        }
    }
}

#[test]
fn a_limit_that_is_none_stops_the_start_and_names_its_variable() {
    for variable in [
        "RATE_LIMIT_PER_MINUTE",
        "RATE_LIMIT_TENANT_PER_MINUTE",
        "RATE_LIMIT_VISITOR_PER_MINUTE",
        "RATE_LIMIT_ADDRESS_PER_MINUTE",
    ] {
        for wrong in ["0", "-1", "60/min", "1e3", "1000001", "99999999999999999999"] {
            let error = Rates::read(&environment(&[(variable, wrong)])).unwrap_err();
            assert_eq!(error.variable, variable, "{wrong}: {error}");
        }
    }
    for variable in ["DOCENT_ENV", "VERCEL_ENV"] {
        assert_eq!(Rates::read(&environment(&[(variable, "prod")])).unwrap_err().variable, variable);
        assert_eq!(Limits::read(&environment(&[(variable, "prod")])).unwrap_err().variable, variable);
    }
    for variable in ["MAX_UPLOAD_BYTES", "MAX_STREAM_BYTES"] {
        assert_eq!(Limits::read(&environment(&[(variable, "0")])).unwrap_err().variable, variable);
    }
}
