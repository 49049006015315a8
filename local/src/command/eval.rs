//! `docent eval`: how good retrieval is, over public sets or over a tenant's own questions.

use std::path::PathBuf;

use clap::Args;
use docent::auth::token::{TokenKind, claim};
use docent::config::Environment;
use serde_json::json;

use super::{Failure, Place, Remote};
use crate::client::Client;
use crate::eval::{self, Account, Bench, Method};
use crate::scratch::Scratch;
use crate::system::{EmbedderChoice, System};
use crate::terminal::{self, Steps};

#[derive(Args)]
#[command(after_help = "\
Examples:
  docent eval --data sets --embedder hash                          every set, each leg and both
  docent eval --data sets --set squad_dev --compare lexical,\"hybrid minilm-l6-v2\"
  docent eval --golden questions.jsonl --documents docs            your own questions, in a system of their own
  docent eval --golden questions.jsonl --url URL --token TOKEN     the same, asked of a running system")]
pub struct Options {
    /// Folder of public sets: cranfield, squad_dev, xquad, chroma_chunking, each in a folder of that name
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only these of them
    #[arg(long = "set", value_name = "NAME", value_delimiter = ',')]
    sets: Vec<String>,
    /// Your own questions, as JSON Lines: {"question", "expected": [{"document", "quote", "span", "page"}]}
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    golden: Option<PathBuf>,
    /// The documents that those questions are about; without, they are asked of the system at --url
    #[arg(long, value_name = "DIR", requires = "golden")]
    documents: Option<PathBuf>,
    #[arg(long, value_enum, value_delimiter = ',', default_value = "template,lexical,dense,hybrid")]
    methods: Vec<Method>,
    /// Models to make vectors with; several are measured one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_value = "minilm")]
    embedder: Vec<EmbedderChoice>,
    /// Two configurations to compare, as the table calls them
    #[arg(long, value_name = "ONE,OTHER", value_delimiter = ',', num_args = 2)]
    compare: Vec<String>,
    /// At most so many questions of each set, taken evenly
    #[arg(long, value_name = "N")]
    questions: Option<usize>,
    /// An administrator's URL of an empty database to measure in [default: an embedded one, thrown away afterwards]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

const PASSAGES: &str = "chroma_chunking";

pub async fn run(environment: &Environment, options: Options) -> Result<(), Failure> {
    docent::telemetry::start(&environment.clone().or("LOG_LEVEL", "error"));
    if let (Some(golden), None) = (&options.golden, &options.documents) {
        let client = Client::remote(&options.remote)?.ok_or_else(|| {
            Failure::new("There are questions but nothing to ask.", "Give --documents DIR, or --url and --token.")
        })?;
        let account = eval::remote(&eval::questions(golden)?, &client).await?;
        return print(&[account], &options);
    }
    let names = names(&options)?;
    // What is wrong with it is better said before a system is started for it.
    if let (Some(golden), Some(folder)) = (&options.golden, &options.documents) {
        eval::documents(&eval::questions(golden)?, folder)?;
    }
    let mut accounts = Vec::new();
    for (number, embedder) in options.embedder.iter().enumerate() {
        accounts.extend(measure(environment, &options, *embedder, &names, number == 0).await?);
    }
    print(&accounts, &options)
}

fn names(options: &Options) -> Result<Vec<String>, Failure> {
    let known: Vec<&str> = eval::NAMES.into_iter().chain([PASSAGES]).collect();
    match options.sets.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            Err(Failure::new(format!("There is no set `{name}`."), format!("Name some of: {}.", known.join(", "))))
        }
        None if options.data.is_none() => Ok(Vec::new()),
        None if options.sets.is_empty() => Ok(known.into_iter().map(str::to_owned).collect()),
        None => Ok(options.sets.clone()),
    }
}

/// All sets under one embedder, in a system that is thrown away afterwards.
async fn measure(
    environment: &Environment,
    options: &Options,
    embedder: EmbedderChoice,
    names: &[String],
    first: bool,
) -> Result<Vec<Account>, Failure> {
    let scratch = Scratch::of("eval")?;
    let place = Place { data: Some(scratch.folder().to_owned()), fresh: false, embedder };
    // Never the database that the environment serves people from.
    let database = options.database.clone().unwrap_or_default();
    let environment = environment.clone().with("DIRECT_DATABASE_URL", database).with("DATABASE_URL", "");
    let steps = Steps::start();
    let system = System::start(&environment, &place, "http://127.0.0.1", &|step| steps.step(step)).await?;
    steps.clear();
    let tenant = claim(TokenKind::Secret, &system.token).ok_or_else(|| Failure::new("No tenant.", "Report this."))?;
    // What needs no model is measured once.
    let methods: Vec<Method> = options.methods.iter().copied().filter(|method| first || method.needs_model()).collect();
    let bench = Bench { app: &system.files.app, tenant, model: system.embedder.clone(), methods: &methods };
    let mut accounts = Vec::new();
    if let (Some(golden), Some(folder)) = (&options.golden, &options.documents) {
        let set = eval::documents(&eval::questions(golden)?, folder)?;
        accounts.extend(eval::run(&bench, &set.sample(options.questions)).await?);
    }
    for (name, folder) in names.iter().zip(std::iter::repeat(options.data.clone().unwrap_or_default())) {
        if name == PASSAGES {
            if first {
                let passages = eval::passages(&bench, &folder, options.questions).await?;
                terminal::line(&format!("{}\n", eval::passages_table(&passages)));
            }
            continue;
        }
        for set in eval::load(&folder, name)? {
            accounts.extend(eval::run(&bench, &set.sample(options.questions)).await?);
        }
    }
    Ok(accounts)
}

fn print(accounts: &[Account], options: &Options) -> Result<(), Failure> {
    if options.json {
        accounts.iter().for_each(|account| terminal::line(&json!(account.json()).to_string()));
    } else if !accounts.is_empty() {
        terminal::line(&eval::overview(accounts));
    }
    if let [one, other] = options.compare.as_slice() {
        terminal::line(&format!("\n{}", eval::comparison(accounts, one, other)?));
    }
    Ok(())
}
