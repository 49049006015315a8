//! One file per format; each reads bytes and writes to the same `Writer`.

pub(crate) mod archive;
pub(crate) mod csv;
pub(crate) mod docx;
mod docx_body;
pub(crate) mod eml;
mod eml_encodings;
mod eml_headers;
pub(crate) mod epub;
mod epub_contents;
mod epub_package;
pub(crate) mod html;
mod html_attributes;
mod html_tokens;
pub(crate) mod json;
pub(crate) mod json_lines;
pub(crate) mod markdown;
mod markdown_pieces;
mod opc;
pub(crate) mod pdf;
mod pdf_content;
mod pdf_guard;
mod pdf_repair;
mod pdf_scan;
mod pdf_tree;
mod pdf_windows;
mod percent;
pub(crate) mod pptx;
mod pptx_slide;
mod table;
pub(crate) mod text;
pub(crate) mod xlsx;
mod xlsx_dates;
mod xlsx_formats;
mod xlsx_sheet;
mod xlsx_strings;
mod xml;

#[cfg(test)]
pub(crate) mod tests;
