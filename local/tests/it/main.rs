//! The one integration binary of the crate.

mod bucket;
#[cfg(test)]
mod postgres;
