//! The table of denied addresses, at both edges of every range, and the rules for base URLs.

use std::net::IpAddr;

use docent_llm::Url;
use docent_llm::address::{MAX_URL, check, is_public, may_connect};

const DENIED: &[&str] = &[
    "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255",
    "169.254.0.0 169.254.169.254 169.254.100.1 169.254.255.255 172.16.0.0 172.31.255.255",
    "192.0.0.0 192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255 192.168.0.0 192.168.255.255",
    "198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255",
    "224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255",
    ":: ::1 ::8.8.8.8 100::1 64:ff9b:1::8.8.8.8 1fff::1 4000::1 5f00::1 fc00::1 fdff::1 fd00:ec2::254",
    "fe80::1 febf::1 fec0::1 ff00::1 ff02::1 2001::1 2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1 3fff::1 3fff:fff::1",
    "::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2002:a9fe:a9fe::1 2002:c0a8:1::1",
];

const PUBLIC: &[&str] = &[
    "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0",
    "172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0",
    "198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 8.8.8.8",
    "2000::1 2001:200::1 2001:db7:ffff::1 2001:db9::1 2606:4700::1111 3ffe:ffff::1 3fff:1000::1 2a00::1",
    "::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1",
];

fn addresses(table: &[&str]) -> impl Iterator<Item = IpAddr> {
    table.iter().flat_map(|line| line.split(' ')).map(|text| text.parse().unwrap())
}

#[test]
fn private_and_special_ranges_are_denied() {
    for address in addresses(DENIED) {
        assert!(!is_public(address), "{address} must be denied");
        assert!(!may_connect("api.example", address, true), "{address} must be denied to a public name");
    }
    for address in addresses(PUBLIC) {
        assert!(is_public(address), "{address} must be reachable");
    }
}

#[test]
fn loopback_needs_both_the_local_mode_and_its_own_name() {
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    assert!(may_connect("localhost", loopback, true));
    assert!(may_connect("ollama.localhost.", "::1".parse().unwrap(), true));
    assert!(!may_connect("localhost", loopback, false));
    assert!(!may_connect("notlocalhost", loopback, true));
    assert!(!may_connect("localhost", "10.0.0.1".parse().unwrap(), true));
}

#[test]
fn base_urls_follow_the_rules() {
    let long = format!("https://api.example/{}", "a".repeat(MAX_URL));
    // (address, allowed for tenants, allowed on a laptop)
    let table = [
        ("https://api.openai.com/v1", true, true),
        ("https://8.8.8.8/", true, true),
        ("https://[2606:4700::1111]/", true, true),
        ("http://api.openai.com/v1", false, false),
        ("https://api.openai.com:8443/v1", false, false),
        ("https://user@api.openai.com/v1", false, false),
        ("https://:secret@api.openai.com/v1", false, false),
        ("https://api.openai.com/v1#part", false, false),
        ("ftp://api.openai.com/", false, false),
        ("file:///etc/passwd", false, false),
        ("data:text/plain,hello", false, false),
        ("https://169.254.169.254/latest", false, false),
        ("https://2852039166/latest", false, false),
        ("https://0xa9.0xfe.0xa9.0xfe/", false, false),
        ("https://[::ffff:169.254.169.254]/", false, false),
        ("https://192.168.0.1/", false, false),
        ("http://localhost:11434", false, true),
        ("http://127.0.0.1:11434", false, true),
        ("https://[::1]:8443", false, true),
        ("http://LOCALHOST:11434", false, true),
        ("ftp://localhost/", false, false),
        (long.as_str(), false, false),
    ];
    for (address, tenant, laptop) in table {
        let url = Url::parse(address).unwrap();
        assert_eq!(check(&url, false).is_ok(), tenant, "{address} for tenants");
        assert_eq!(check(&url, true).is_ok(), laptop, "{address} on a laptop");
        if let Err(error) = check(&url, false) {
            assert_eq!(error.code(), "provider_endpoint");
        }
    }
}
