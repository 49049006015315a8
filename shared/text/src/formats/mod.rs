//! One file per format; each reads bytes and writes to the same `Writer`.

pub(crate) mod archive;
pub(crate) mod csv;
pub(crate) mod docx;
mod docx_body;
pub(crate) mod html;
mod html_attributes;
mod html_tokens;
pub(crate) mod json;
pub(crate) mod json_lines;
pub(crate) mod markdown;
pub(crate) mod pdf;
mod pdf_repair;
mod table;
pub(crate) mod text;
