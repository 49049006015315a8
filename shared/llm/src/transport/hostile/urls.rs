//! The addresses that an attacker would like to reach, in every way of writing them that some parser has fallen for.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// This machine, clouds' metadata and function runtimes, private networks, and space that belongs to nobody.
pub const TARGETS: [Ipv4Addr; 16] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 8, 9, 10),
    Ipv4Addr::new(0, 0, 0, 0),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(169, 254, 100, 1),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(172, 31, 255, 254),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(192, 168, 1, 1),
    Ipv4Addr::new(198, 18, 0, 1),
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::new(255, 255, 255, 255),
];

const TARGETS_V6: [&str; 14] = [
    "::",
    "::1",
    "0:0:0:0:0:0:0:1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "2001::1",
    "64:ff9b:1::a9fe:a9fe",
    "::ffff:0:127.0.0.1",
];

/// Everything else that one of a URL's parts can do.
const ODD: &[&str] = &[
    "http://api.openai.com/v1",
    "HTTP://api.openai.com",
    "ws://api.openai.com",
    "wss://api.openai.com",
    "ftp://api.openai.com",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stat",
    "ldap://127.0.0.1",
    "unix:///var/run/docker.sock",
    "data:application/json,{}",
    "javascript:alert(1)",
    "jar:https://api.openai.com!/",
    "blob:https://api.openai.com/x",
    "about:blank",
    "//127.0.0.1",
    "https://",
    "https:///",
    "https://?",
    "https://:443",
    "https://@127.0.0.1",
    "https://[::1",
    "https://[]",
    "https://.",
    "https://..",
    "https://%00",
    "https://127.0.0.1%00.openai.com",
    "https://api.openai.com%2f@127.0.0.1",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::1%251]/",
    "https://[v1.fe80]/",
    "https://api.openai.com:80",
    "https://api.openai.com:22",
    "https://api.openai.com:6379",
    "https://api.openai.com:0",
    "https://api.openai.com:8443",
    "https://api.openai.com:65535",
    "https://api.openai.com:65979",
    "https://user:pass@api.openai.com",
    "https://user@api.openai.com",
    "https://:pass@api.openai.com",
    "https://api.openai.com#@127.0.0.1",
    "https://api.openai.com/v1#part",
    "https://127.0.0.1#.openai.com",
    "https://127.0.0.1?.openai.com",
    "https://127.0.0.1\\.openai.com",
    "https:127.0.0.1",
    "https:/127.0.0.1",
    "https:\\\\127.0.0.1",
    " https://127.0.0.1 ",
    "ht\ntps://127.0.0.1",
    "https://1.1.1.1 &@127.0.0.1#@8.8.8.8/",
];

/// RFC 6761 §6.3, and the ways to write it that survive lower-casing and IDNA.
const LOCALHOSTS: [&str; 14] = [
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "a.localhost",
    "a.b.LOCALHOST.",
    "ｌｏｃａｌｈｏｓｔ",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "local\u{ad}host",
    "loc%61lhost",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "localho\u{17f}t",
    "localhost\u{3002}",
    "api.openai.com.localhost",
];

pub fn hostile() -> BTreeSet<String> {
    let hosts = TARGETS.iter().flat_map(|target| spellings(*target));
    let mut all: BTreeSet<String> = hosts.map(|host| format!("https://{host}/v1")).collect();
    for target in TARGETS {
        for frame in ["http://*/", "https://*:80/", "https://*:9001/", "https://u:p@*/", "https://api.openai.com@*/"] {
            all.insert(frame.replace('*', &target.to_string()));
        }
    }
    for target in TARGETS_V6 {
        all.extend([
            format!("https://[{target}]/v1"),
            format!("http://[{target}]:80/"),
            format!("https://u@[{target}]"),
        ]);
    }
    for host in LOCALHOSTS {
        all.extend([format!("https://{host}/v1"), format!("http://{host}:11434/")]);
    }
    all.extend(ODD.iter().map(|url| (*url).to_owned()));
    all.insert(format!("https://api.openai.com/{}", "a".repeat(crate::address::MAX_URL)));
    all.insert(format!("https://{}.example/", "a.".repeat(2000)));
    all
}

/// One address in the notations of `inet_aton`, of the URL standard, of IDNA, and inside an IPv6 address.
fn spellings(target: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = target.octets();
    let (whole, dotted) = (target.to_bits(), target.to_string());
    let low = whole & 0xff_ffff;
    let digits = |zero: u32| -> String {
        let wide = |letter: char| letter.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(letter);
        dotted.chars().map(wide).collect()
    };
    let percent: String = dotted.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let inside = |prefix: &str| format!("[{prefix}{:x}:{:x}]", whole >> 16, whole & 0xffff);
    let mapped = Ipv6Addr::from_bits(0xffff_0000_0000 | u128::from(whole));
    let full = mapped.segments().map(|part| format!("{part:04x}")).join(":");
    vec![
        dotted.clone(),
        format!("{dotted}."),
        whole.to_string(),
        format!("{whole}."),
        format!("0x{whole:x}"),
        format!("0X{whole:08X}"),
        format!("0x0000000{whole:x}"),
        format!("0{whole:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.0{b:o}.{c}.{d:#x}"),
        format!("{a}.{low}"),
        format!("{a:#x}.{low:#x}"),
        format!("{a}.{b}.{}", low & 0xffff),
        format!("0{a:o}.{b}.{:#x}", low & 0xffff),
        digits(0xff10),
        digits(0x1d7ce),
        dotted.replace('.', "\u{3002}"),
        dotted.replace('.', "\u{ff0e}"),
        dotted.replace('.', "\u{ff61}"),
        dotted.replace('.', ".\u{ad}"),
        dotted.replace('.', "%2e"),
        dotted.replace('.', ".\t"),
        percent,
        format!("[::ffff:{dotted}]"),
        inside("::ffff:"),
        format!("[{full}]"),
        inside("64:ff9b::"),
        inside("64:ff9b:1::"),
        format!("[64:ff9b::{dotted}]"),
        format!("[2002:{:x}:{:x}::1]", whole >> 16, whole & 0xffff),
        format!("[::{dotted}]"),
    ]
}
