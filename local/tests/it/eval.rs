//! `docent eval`, the real binary, over the project's own questions: what retrieval must not fall below.

use std::path::Path;

use serde_json::Value;

use crate::keys::docent;
use crate::postgres::{directory, options, started};

/// Each share must be at least this. They are what was measured: a change that loses one question has to say so.
const FLOORS: [(&str, &str, f64); 9] = [
    ("lexical", "ndcg10", 0.9832),
    ("lexical", "recall10", 1.0),
    ("lexical", "citationPrecision", 0.9545),
    ("lexical", "refusalAccuracy", 0.9772),
    ("dense hash-384", "ndcg10", 0.9286),
    ("dense hash-384", "recall10", 1.0),
    ("hybrid hash-384", "ndcg10", 0.9832),
    ("hybrid hash-384", "recall10", 1.0),
    ("hybrid hash-384", "citationPrecision", 0.9545),
];

#[tokio::test]
async fn the_projects_own_questions_are_answered() {
    let name = "the_projects_own_questions_are_answered";
    let directory = directory();
    let Some(postgres) = started(name, options(&directory.path().join("postgres"))).await else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut command = docent(&["eval", "--embedder", "hash", "--json", "--golden"]);
    command.arg(golden.join("questions.jsonl")).arg("--documents").arg(golden.join("documents"));
    let output = command.args(["--database", &postgres.url()]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let accounts: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let score = |configuration: &str, measure: &str| {
        let account = accounts.iter().find(|account| account["configuration"] == configuration);
        account.and_then(|account| account[measure].as_f64()).unwrap_or_else(|| panic!("{accounts:?}"))
    };
    for (configuration, measure, floor) in FLOORS {
        let found = score(configuration, measure);
        assert!(found >= floor, "{configuration}: {measure} is {found:.4}, not {floor}: {accounts:#?}");
    }
    assert!(score("ts_rank_cd", "ndcg10") < score("lexical", "ndcg10"), "{accounts:?}");
}

#[tokio::test]
async fn what_cannot_be_measured_is_named() {
    let directory = directory();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let crooked = write("crooked.jsonl", "{\"question\": \"a\"}\n{\"query\": \"b\"}\n");
    let sound = write("sound.jsonl", "{\"question\": \"a\"}\n");
    let folder = directory.path().display().to_string();
    for (arguments, expected) in [
        (vec!["--golden", &crooked, "--documents", &folder], "crooked.jsonl, line 2: unknown field `query`"),
        (vec!["--golden", &sound], "nothing to ask"),
        (vec!["--data", &folder, "--set", "trec"], "There is no set `trec`"),
        (vec![], "--golden"),
    ] {
        let output = docent(&[&["eval", "--embedder", "hash"], arguments.as_slice()].concat()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
}
