//! Is this alive, and can it serve? `ping` does no input or output at all; nothing here ever calls a paid provider.

mod routes;

pub use routes::router;
