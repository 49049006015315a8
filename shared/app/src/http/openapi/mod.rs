//! What the routes say of themselves: a router that remembers its operations. For the description of the API alone:
//! functions are compiled with axum's own router and carry none of this.

mod draft;
mod said;

use std::any::type_name;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use serde_json::Value;

pub use draft::{Draft, Schemas};
pub use said::{Answer, Argument};

/// One method of one path.
#[derive(Clone)]
pub struct Operation {
    pub method: &'static str,
    pub path: String,
    /// The handler's place in the sources, such as `docent::bots::routes::list_bots`.
    pub handler: &'static str,
    describe: fn(&mut Draft<'_>),
}

impl Operation {
    fn of<H: Described<T>, T>(method: &'static str) -> Operation {
        Operation { method, path: String::new(), handler: type_name::<H>(), describe: H::describe }
    }

    /// An Operation Object (OpenAPI 3.1 §4.8.10), without its words.
    pub fn describe(&self, schemas: &mut Schemas) -> Value {
        let mut draft = Draft::new(&self.path, schemas);
        (self.describe)(&mut draft);
        draft.finish()
    }
}

/// A handler, as far as its signature describes it. `T` tells handlers apart as axum does.
pub trait Described<T> {
    fn describe(draft: &mut Draft<'_>);
}

impl<F, Fut, R> Described<((),)> for F
where
    F: Fn() -> Fut,
    Fut: Future<Output = R>,
    R: Answer,
{
    fn describe(draft: &mut Draft<'_>) {
        R::describe(draft);
    }
}

macro_rules! described {
    ($($argument:ident)+) => {
        impl<F, Fut, R, M, $($argument),+> Described<(M, $($argument,)+)> for F
        where
            F: Fn($($argument),+) -> Fut,
            Fut: Future<Output = R>,
            R: Answer,
            $($argument: Argument,)+
        {
            fn describe(draft: &mut Draft<'_>) {
                $($argument::describe(draft);)+
                R::describe(draft);
            }
        }
    };
}

described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);

/// axum's router, which knows what it serves.
pub struct Router<S = ()> {
    axum: axum::Router<S>,
    pub operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Default for Router<S> {
    fn default() -> Self {
        Router { axum: axum::Router::new(), operations: Vec::new() }
    }
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn route(mut self, path: &str, methods: Methods<S>) -> Self {
        let here = methods.operations.into_iter().map(|operation| Operation { path: path.to_owned(), ..operation });
        self.operations.extend(here);
        Router { axum: self.axum.route(path, methods.axum), ..self }
    }

    #[must_use]
    pub fn merge(mut self, other: Router<S>) -> Self {
        self.operations.extend(other.operations);
        Router { axum: self.axum.merge(other.axum), ..self }
    }

    #[must_use]
    pub fn layer(self, limit: DefaultBodyLimit) -> Self {
        Router { axum: self.axum.layer(limit), ..self }
    }

    pub fn with_state(self, state: S) -> axum::Router {
        self.axum.with_state(state)
    }
}

/// What one path serves.
pub struct Methods<S> {
    axum: MethodRouter<S>,
    operations: Vec<Operation>,
}

macro_rules! methods {
    ($($name:ident)+) => {
        $(pub fn $name<H, T, S>(handler: H) -> Methods<S>
        where
            H: Handler<T, S> + Described<T>,
            T: 'static,
            S: Clone + Send + Sync + 'static,
        {
            Methods { axum: routing::$name(handler), operations: vec![Operation::of::<H, T>(stringify!($name))] }
        })+

        impl<S: Clone + Send + Sync + 'static> Methods<S> {
            $(#[must_use]
            pub fn $name<H, T>(mut self, handler: H) -> Self
            where
                H: Handler<T, S> + Described<T>,
                T: 'static,
            {
                self.operations.push(Operation::of::<H, T>(stringify!($name)));
                Methods { axum: self.axum.$name(handler), ..self }
            })+
        }
    };
}

methods!(get post put patch delete);
