//! The one integration binary of the crate.

#[cfg(test)]
mod bucket;
#[cfg(test)]
mod minilm;
#[cfg(test)]
mod postgres;
