//! What the SDK would never send: requests signed by hand, forms, and reference values.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server};

/// A plain client; the TLS provider is never used but must be chosen.
pub fn http() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// Status and S3 error code of an answer.
pub async fn outcome(response: Response) -> (u16, String) {
    let status = response.status();
    let text = response.text().await.unwrap();
    let code = text.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next()).unwrap_or_default();
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        (status.as_u16(), text)
    } else {
        (status.as_u16(), code.to_owned())
    }
}

/// Signature v4 in the authorization header, over the host, the payload's name and the given headers.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
pub fn signed(server: &Server, method: Method, key: &str, payload: &str, headers: &[(&str, &str)]) -> RequestBuilder {
    let (date, day) = now();
    let host = server.origin.trim_start_matches("http://");
    let mut all = vec![("host", host), ("x-amz-content-sha256", payload), ("x-amz-date", &date)];
    all.extend_from_slice(headers);
    all.sort_unstable();
    let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("{method}\n/{BUCKET}/{key}\n\n{lines}\n{names}\n{payload}");
    let scope = format!("{day}/us-east-1/s3/aws4_request");
    let hash = hex(&Sha256::digest(canonical));
    let signature = signature(&day, &format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}"));
    let credential = format!("Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}");
    let request =
        http().request(method, server.url(key)).header("authorization", format!("AWS4-HMAC-SHA256 {credential}"));
    all.iter().filter(|(name, _)| *name != "host").fold(request, |request, (name, value)| request.header(*name, *value))
}

/// A browser's POST form. `conditions` are those beside the bucket and the credentials.
pub async fn post_form(server: &Server, key: &str, body: &str, conditions: &str) -> (u16, String) {
    use base64::Engine as _;
    let (date, day) = now();
    let credential = format!("{ACCESS_KEY}/{day}/us-east-1/s3/aws4_request");
    let policy = format!(
        r#"{{"expiration":"2099-01-01T00:00:00Z","conditions":[{{"bucket":"{BUCKET}"}},{conditions},
        {{"x-amz-algorithm":"AWS4-HMAC-SHA256"}},{{"x-amz-credential":"{credential}"}},{{"x-amz-date":"{date}"}}]}}"#
    );
    let policy = base64::engine::general_purpose::STANDARD.encode(policy);
    let signature = signature(&day, &policy);
    let fields = [
        ("key", key),
        ("policy", &policy),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", &credential),
        ("x-amz-date", &date),
        ("x-amz-signature", &signature),
    ];
    let field = |(name, value)| format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let mut form: String = fields.map(field).concat();
    form += &format!(
        "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\ncontent-type: text/plain\r\n\r\n{body}\r\n--edge--\r\n"
    );
    let post = http().post(format!("{}/{BUCKET}", server.origin));
    outcome(post.header("content-type", "multipart/form-data; boundary=edge").body(form).send().await.unwrap()).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::disallowed_methods, reason = "the server compares a signature's date with the wall clock")]
fn now() -> (String, String) {
    let now = jiff::Timestamp::now();
    (now.strftime("%Y%m%dT%H%M%SZ").to_string(), now.strftime("%Y%m%d").to_string())
}

fn signature(day: &str, text: &str) -> String {
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let key = ["us-east-1", "s3", "aws4_request"]
        .iter()
        .fold(mac(format!("AWS4{SECRET_KEY}").as_bytes(), day), |key, part| mac(&key, part));
    hex(&mac(&key, text))
}
