//! Documents that make a reader misbehave on purpose, for the tests that kill it. In no other build than tests'.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

/// How such a document begins; what follows names the misdeed.
const MARK: &str = "docent-test-reader:";

pub fn misbehave(document: &File, spool: &File) {
    let mut head = [0; 64];
    let read = document.read_at(&mut head, 0).unwrap_or_default();
    let text = String::from_utf8_lossy(&head[..read]).into_owned();
    let misdeed = text.strip_prefix(MARK).and_then(|rest| rest.split_whitespace().next());
    match misdeed {
        Some("memory") => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(vec![1_u8; 1024 * 1024]);
                std::hint::black_box(&hoard);
            }
        }
        Some("processor") => loop {
            std::hint::spin_loop();
        },
        Some("output") => {
            let line = [b'x'; 64 * 1024];
            let mut spool = spool;
            while spool.write_all(&line).is_ok() {}
        }
        // One byte beyond the end.
        Some("panic") => drop(std::hint::black_box(head[..read].to_vec()[read])),
        Some("abort") => std::process::abort(),
        Some("stack") => {
            std::hint::black_box(deeper(1));
        }
        Some("sleep") => loop {
            std::thread::park();
        },
        Some("silence") => std::process::exit(0),
        Some("files") => {
            // A reader that could open something has no walls.
            let opened = File::open("/").is_ok() || std::net::UdpSocket::bind("127.0.0.1:0").is_ok();
            if opened {
                std::process::abort();
            }
        }
        _ => {}
    }
}

#[expect(unconditional_recursion, reason = "that is the misdeed")]
fn deeper(depth: u64) -> u64 {
    let ballast = std::hint::black_box([depth; 64]);
    ballast[0] + deeper(depth + 1) + ballast[1]
}
