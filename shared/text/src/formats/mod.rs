//! One file per format; each reads bytes and writes to the same `Writer`.

pub(crate) mod archive;
pub(crate) mod csv;
pub(crate) mod docx;
mod docx_body;
pub(crate) mod epub;
mod epub_contents;
mod epub_package;
pub(crate) mod html;
mod html_attributes;
mod html_tokens;
pub(crate) mod json;
pub(crate) mod json_lines;
pub(crate) mod markdown;
mod opc;
pub(crate) mod pdf;
mod pdf_repair;
pub(crate) mod pptx;
mod pptx_slide;
mod table;
pub(crate) mod text;
mod xml;

#[cfg(test)]
mod tests;
