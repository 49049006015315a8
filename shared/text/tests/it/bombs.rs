//! Files made to hurt, each read in a process of its own, so that an abort, a hang or a full memory is seen from outside
//! and fails the test. `DOCENT_BOMBS=all` prints the table.

mod archives;
mod characters;
mod markup;
mod office;
pub mod pdf;
mod pdf_streams;
mod plain;

use crate::child::{Job, run_all};

pub fn bombs() -> Vec<Job> {
    let rooms = [
        plain::bombs(),
        characters::bombs(),
        archives::bombs(),
        office::bombs(),
        markup::bombs(),
        pdf::bombs(),
        pdf_streams::bombs(),
    ];
    rooms.into_iter().flatten().collect()
}

#[test]
fn every_bomb_ends_in_its_code_in_time_and_in_bounded_memory() {
    let bombs = bombs();
    assert!(bombs.len() >= 50, "{}", bombs.len());
    let names: std::collections::BTreeSet<&str> = bombs.iter().map(|bomb| bomb.name.as_str()).collect();
    assert_eq!(names.len(), bombs.len(), "two bombs share a name");
    run_all("bombs", &bombs);
}
