//! Any single wall may fall: with one policy, one setting or one predicate gone the others still let nothing through,
//! and a lint says which one it was.
//!
//! `DOCENT_MUTANTS=all cargo test -p docent --test it mutation:: -- --nocapture` tries each of them; without it a sample.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use docent::config::Environment;
use docent::db::{Door, Statements, Wall, without_predicate};

use crate::catalog::{OWN, catalog_lint, tables};
use crate::dice::Dice;
use crate::scene::{Played, STEPS, Scene};
use crate::statements;

/// How many mutants of a kind are tried unless all are asked for, drawn with a fixed seed.
const SAMPLE: usize = 12;
const SEED: u64 = 3;

/// Statements that the scene cannot run, and why nothing is lost.
const NOT_PLAYED: &[(&str, &str)] = &[
    ("select $9 as bucket from tenant t", "the person's tenant, whose name comes out of a verified session"),
    ("select name, created_at from tenant", "the operator's list, whom a policy of its own shows every tenant"),
];

/// All mutants, or a sample of them.
fn drawn<T>(mut mutants: Vec<T>) -> Vec<T> {
    if Environment::process().get("DOCENT_MUTANTS") == Some("all") {
        return mutants;
    }
    let mut dice = Dice::new(SEED);
    while mutants.len() > SAMPLE {
        mutants.swap_remove(dice.below(mutants.len()));
    }
    mutants
}

fn report(kind: &str, tried: usize, all: usize, started: Instant) {
    let seconds = started.elapsed().as_secs_f32();
    let _ = writeln!(
        std::io::stderr(),
        "mutation, {kind}: {tried} of {all} mutants, 0 leaks, each reported by the lint, in {seconds:.0} s"
    );
}

fn tight(mutant: &str, played: &Played) {
    assert!(played.foreign.is_empty(), "{mutant}: {:#?}", played.foreign);
}

/// Which step runs which statement; also shows that the untouched system does its work in each of them.
async fn statements_by_step(scene: &mut Scene) -> BTreeMap<String, Vec<&'static str>> {
    let mut runs = BTreeMap::<String, Vec<&'static str>>::new();
    for step in STEPS {
        let heard = Statements::default();
        scene.behind(Door::listening(heard.clone()), None);
        let played = scene.play(&[step]).await;
        tight(step, &played);
        assert!(played.succeeded > 0, "nothing succeeded in {step}");
        for statement in heard.lock().unwrap().iter() {
            runs.entry(statement.clone()).or_default().push(step);
        }
    }
    runs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_predicate_may_fall() {
    let started = Instant::now();
    let mut scene = Scene::new().await;
    let runs = statements_by_step(&mut scene).await;
    let mut unplayed = Vec::new();
    for statement in statements::inventory() {
        let played = runs.keys().any(|ran| statement.is(ran));
        let excused = NOT_PLAYED.iter().any(|(start, _)| statement.text.trim_start().starts_with(start));
        let bound = statement.text.contains("tenant_id = $1");
        if !played && !excused && bound {
            unplayed.push(format!("{}: {}", statement.file, statement.text));
        }
    }
    assert!(unplayed.is_empty(), "no step runs: {unplayed:#?}");
    let mut mutants = Vec::new();
    for (statement, steps) in &runs {
        let predicates = statement.matches("tenant_id = $1").count();
        mutants.extend((0..predicates).map(|place| (statement.clone(), place, steps.clone())));
    }
    let (all, drawn) = (mutants.len(), drawn(mutants));
    let tried = drawn.len();
    assert!(all > 80, "only {all} predicates were found");
    for (statement, place, steps) in drawn {
        let mutant = without_predicate(&statement, Some(place));
        assert!(!statements::lint(&mutant).is_empty(), "the lint is silent about {mutant}");
        scene.behind(Door::without(Wall::OnePredicate(statement, place)), None);
        tight(&mutant, &scene.play(&steps).await);
    }
    report("predicates", tried, all, started);
}

/// Shows that the tests around it would notice: with nothing in the way, the scene sees and changes what is not the actor's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_walls_the_scene_leaks_in_every_room() {
    let mut scene = Scene::new().await;
    let url = scene.admin_url().to_owned();
    // Foreign keys hold where these would leak, or they only read what nobody else is told.
    let quiet = ["visitors", "sources", "ingestion", "model"];
    for step in STEPS.iter().filter(|step| !quiet.contains(step)) {
        scene.behind(Door::without(Wall::Both), Some(&url));
        let played = scene.play(&[step]).await;
        assert!(!played.foreign.is_empty(), "{step} shows nothing even without walls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_policy_may_fall() {
    let started = Instant::now();
    let mut scene = Scene::new().await;
    let runs = statements_by_step(&mut scene).await;
    scene.behind(Door::closed(), None);
    let mut mutants = Vec::new();
    for table in tables(scene.admin()).await {
        // A partition is reached through its parent.
        let root = if table.starts_with("embedding_") && table != "embedding_cache" { "embedding" } else { &table };
        let word =
            |statement: &str| statement.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == root);
        let mut steps: Vec<&str> =
            runs.iter().filter(|(statement, _)| word(statement)).flat_map(|(_, steps)| steps.clone()).collect();
        steps.sort_unstable();
        steps.dedup();
        mutants.extend(policy_mutants(&table).into_iter().map(|(breaks, mends)| (breaks, mends, steps.clone())));
    }
    let (all, drawn) = (mutants.len(), drawn(mutants));
    let tried = drawn.len();
    assert!(all > 150, "only {all} mutants of policies were made");
    for (breaks, mends, steps) in drawn {
        scene.admin().batch_execute(&breaks).await.unwrap();
        assert!(!catalog_lint(scene.admin()).await.is_empty(), "the lint is silent about {breaks}");
        tight(&breaks, &scene.play(&steps).await);
        scene.admin().batch_execute(&mends).await.unwrap();
    }
    assert_eq!(catalog_lint(scene.admin()).await, Vec::<String>::new(), "every mutant was mended");
    report("policies", tried, all, started);
}

/// How a table's wall can be broken in SQL, and how it is mended.
fn policy_mutants(table: &str) -> Vec<(String, String)> {
    let alter = format!("alter policy tenant on {table}");
    let table_is = |what: &str| format!("alter table {table} {what} row level security");
    let own = format!("using ({OWN}) with check ({OWN})");
    vec![
        (format!("drop policy tenant on {table}"), format!("create policy tenant on {table} to docent_app {own}")),
        (format!("{alter} using (true)"), format!("{alter} {own}")),
        (format!("{alter} with check (true)"), format!("{alter} {own}")),
        (format!("{alter} to public"), format!("{alter} to docent_app")),
        (table_is("disable"), table_is("enable")),
        (table_is("no force"), table_is("force")),
        (
            format!("create policy wide on {table} for select to docent_app using (true)"),
            format!("drop policy wide on {table}"),
        ),
        (format!("grant truncate on {table} to docent_app"), format!("revoke truncate on {table} from docent_app")),
    ]
}

/// What cannot be tried on a living cluster that other tests share, or is refused at start: the lint sees it.
#[tokio::test]
async fn the_lint_reports_roles_rights_and_keys() {
    let admin = crate::world::connect(&crate::world::database().await).await;
    for breaks in [
        "grant docent_operator to docent_app",
        "grant docent_owner to docent_app",
        "alter role docent_app bypassrls",
        "alter role docent_app superuser",
        "alter role docent_control login",
        "alter table document owner to docent_app",
        "grant select on document to public",
        "grant select on chunk to docent_control",
        "grant select (filename) on document to docent_control",
        "grant select on document to docent_app with grant option",
        "grant create on schema public to docent_app",
        "create view every_document as select * from document",
        "create table stray (id int primary key)",
        "create function public.stray() returns int language sql security definer as 'select 1'",
        "alter function control.due_hints(integer) reset search_path",
        "grant execute on function control.due_hints(integer) to public",
        "create unique index stray on token (hash)",
        "alter table posting drop constraint posting_pkey; alter table posting add primary key (term, document_id, revision, first_ordinal)",
        "alter policy operator on bot to docent_app",
    ] {
        admin.batch_execute(&format!("begin; {breaks}")).await.unwrap();
        assert!(!catalog_lint(&admin).await.is_empty(), "the lint is silent about {breaks}");
        admin.batch_execute("rollback").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setting_may_fall() {
    let mut scene = Scene::new().await;
    for wall in [Wall::Setting, Wall::SettingEnds] {
        let mutant = format!("{wall:?}");
        scene.behind(Door::without(wall), None);
        tight(&mutant, &scene.play(&STEPS).await);
    }
    let sources = crate::house::product("shared/app/src");
    assert_eq!(setting_lint(&sources), Vec::<String>::new());
    for (from, to) in [
        ("; select set_config('app.tenant_id', '{tenant}', true)", ""),
        ("'{tenant}', true)", "'{tenant}', false)"),
        ("select set_config('app.tenant_id', '{tenant}', true)", "set app.tenant_id = '{tenant}'"),
        ("begin; select", "select"),
    ] {
        let mut mutated = sources.clone();
        for (_, text) in mutated.iter_mut().filter(|(name, _)| name.ends_with("db/tx.rs")) {
            assert!(text.contains(from), "the sources changed: {from}");
            *text = text.replace(from, to);
        }
        assert!(!setting_lint(&mutated).is_empty(), "the lint is silent about {from} → {to}");
    }
    let second = ("shared/app/src/chat/store.rs".to_owned(), "set_config('app.tenant_id', $2, false)".to_owned());
    assert!(!setting_lint(&[sources, vec![second]].concat()).is_empty());
}

/// The tenant is set in one place, for one transaction, in the statement that begins it.
fn setting_lint(sources: &[(String, String)]) -> Vec<String> {
    let right = "begin; select set_config('app.tenant_id', '{tenant}', true)\"";
    let mut faults = Vec::new();
    for (name, text) in sources {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let settings = code.matches("set_config").count() + code.matches("set app.").count();
        let expected = usize::from(name.ends_with("db/tx.rs"));
        if settings != expected || code.matches(right).count() != expected {
            faults.push(format!(
                "{name} sets a tenant {settings} times, {} of them rightly",
                code.matches(right).count()
            ));
        }
    }
    faults
}
