//! Two sessions as front ends send them, and the settings that let them in.

use docent::config::Environment;

/// A time at which both are valid, in Unix seconds.
pub const THEN: i64 = 1_795_263_200;

/// Made by @auth/core 0.41.3 (Auth.js 5).
const AUTH_JS: &str = concat!(
    "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIiwia2lkIjoiRGVMNmVJWEZXc1dycHdxOUdmbHZ2bEk0QTk1NFRQYWxh",
    "cUY5MFZQR3B2THFYSlp6NnVZSEtTN0JSZDEtRjI0NmgyTmVwMFVLU3hoYnFiWno0REhTYXcifQ..ragqP8Sfkk_YQrNAgwGjaQ.n",
    "0XQCOD_RV8R0FB4mI8-mt5h4HRCdIL9IJ-xoBWAZDVGvamROrKeyJrIJqC7ntA-MCqTjpbrt2wJFZreG04b40zmNf7ClUCBvl_iv",
    "GpxbWWLZBysUtnE-sU2qR4Vs5bu.EK4TLHNfL1RETlfZqDtAL_FAle7ue0PEflP-5jdQylk",
);

/// Shaped as Clerk's, with a key of 2,048 bits.
const CLERK: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJlbmNoIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2NsZXJrLmV4YW1wbGUuY29t",
    "Iiwic3ViIjoidXNlcl9iZW5jaCIsInNpZCI6InNlc3NfYmVuY2giLCJhenAiOiJodHRwczovL2FwcC5leGFtcGxlLmNvbSIsImlh",
    "dCI6MTc5NTI2MzEzNiwibmJmIjoxNzk1MjYzMTM2LCJleHAiOjE3OTUyNjY3MzZ9.teMuyntTd22GDsI5DAztnLbeUOsT-1lQrx3",
    "HqOtAvzkq1upRsbk_iTxuUCC_Rl-cRscicOnAtCtgvM7fexhMLaAoizr6hUtCega12qpmhiWBI4tufaq0i597JmNgq_UsylUywgE",
    "5r04b7Yjs4LJPVjnDbB5QqK9F_xG7gS5K5UMbsLgsqvUKSd4lu37hURIErTNSgY34baL_EeqeKyOp9pCoIhcJxmSyFCrd6M52rvl",
    "5lNNrl4up2GOw-T5Pi47SrnSZ_6H_cO1mCY_-hMLoofYgQtjq2w63_NEme2RiZd_TPYhpBVA-YBTEJX3KKhq4bEeKNDEfMqr4eBt",
    "aDUZZsw",
);

const CLERK_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuyhmvsUVb81mNeZYVPU8\n\
    xfJ4BSqkMqm/6qBUySgKPe0ija1AM6SYF9WIQpvkUN8YmG1RtfG1bl2DU3aW89Lg\n\
    jLtAldr6bN3DhcrFD3OC5poRZyOedRDeYiy1lN33/DAKMAt2rW/WshYZTSRRB0Lb\n\
    frPxo1T5lBMPzCnHatRhVTIo2jkElmhyir3+0foG+gcJx7Ou7wMmsCc3qVeDXjrO\n\
    99ipfOB02z8nQeXbNHqN8EuKtlVVVcHMfqk8Dly67A2wAPipjjvv36gIcCr9voUX\n\
    tqxahvG8AMZrXKpczTHHXdT13nr16ACCo83jJ+MYZGTj4JcCCKq80ZaGIowTIE9I\n\
    0wIDAQAB\n\
    -----END PUBLIC KEY-----";

pub fn environment() -> Environment {
    Environment::default()
        .with("AUTH_SECRET", "a secret of version five")
        .with("CLERK_ISSUER", "https://clerk.example.com")
        .with("CLERK_AUTHORIZED_PARTIES", "https://app.example.com")
        .with("CLERK_JWT_KEY", CLERK_KEY)
}

pub fn auth_js_cookie() -> String {
    format!("authjs.session-token={AUTH_JS}")
}

pub fn clerk_token() -> &'static str {
    CLERK
}
