//! The least that a relay can be: hyper on both sides, and bodies passed on as they come.

use docent_llm::Url;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::http::uri::{Authority, Scheme};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{Outcome, table};

/// On as many threads as Docent has.
pub fn run(target: &Url) -> Outcome<()> {
    let authority: Authority = target.authority().parse()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        table::line(&format!("http://{}", listener.local_addr()?));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build::<_, Incoming>(connector);
        let mut open = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (client, authority) = (client.clone(), authority.clone());
            let forward = service_fn(move |request| {
                let forwarded = aimed(request, &authority).map(|request| client.request(request));
                async move { Ok::<_, Box<dyn std::error::Error + Send + Sync>>(forwarded?.await?) }
            });
            open.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), forward));
            while open.try_join_next().is_some() {}
        }
    })
}

fn aimed(mut request: Request<Incoming>, authority: &Authority) -> Result<Request<Incoming>, hyper::http::Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(authority.clone()).path_and_query(path).build()?;
    *request.uri_mut() = uri;
    request.headers_mut().remove(HOST);
    Ok(request)
}
