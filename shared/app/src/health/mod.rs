//! Is this alive, and can it serve? `ping` does no input or output at all; nothing here ever calls a paid provider.

mod pulse;
mod routes;

pub use pulse::{FRESH, Pulse, Standing};
pub use routes::router;
