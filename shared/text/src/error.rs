//! One error for everything a document can do wrong: a stable code, a sentence and a next step.

use std::fmt;

/// What went wrong, by kind. The code of a kind never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    UnsupportedType,
    EmptyFile,
    TooLarge,
    Encrypted,
    Corrupt,
    NoTextLayer,
    LimitExceeded,
    Timeout,
    /// Not the document's fault: its source or the receiver of its pieces gave way.
    Interrupted,
}

impl ErrorKind {
    pub const ALL: [Self; 9] = [
        Self::UnsupportedType,
        Self::EmptyFile,
        Self::TooLarge,
        Self::Encrypted,
        Self::Corrupt,
        Self::NoTextLayer,
        Self::LimitExceeded,
        Self::Timeout,
        Self::Interrupted,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::UnsupportedType => "unsupported_type",
            Self::EmptyFile => "empty_file",
            Self::TooLarge => "too_large",
            Self::Encrypted => "encrypted",
            Self::Corrupt => "corrupt",
            Self::NoTextLayer => "no_text_layer",
            Self::LimitExceeded => "limit_exceeded",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::UnsupportedType => {
                "Upload a PDF, DOCX, PPTX, XLSX, EPUB, EML, Markdown, HTML, CSV, JSON or plain text file."
            }
            Self::EmptyFile => "Check that the file holds text, then upload it again.",
            Self::TooLarge => "Split the document into smaller files and upload them one by one.",
            Self::Encrypted => "Remove the password from the document and upload it again.",
            Self::Corrupt => "Open the file in its own program, save it again and upload the new copy.",
            Self::NoTextLayer => "Run text recognition (OCR) over the scan and upload the result.",
            Self::LimitExceeded => "Simplify or split the document, then upload it again.",
            Self::Timeout => "Split the document into smaller files, or try again later.",
            Self::Interrupted => "Try again; the document itself may be in order.",
        }
    }
}

/// Why a document could not be read. Its message never quotes the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LimitExceeded, message)
    }

    /// For whoever reads the bytes or receives the pieces: it cannot go on, for a reason of its own.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Interrupted, message)
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The next step for whoever uploaded the file.
    pub fn hint(&self) -> &'static str {
        self.kind.hint()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Readers between a file and its parser can only fail with I/O errors; ours travel inside.
    pub(crate) fn carried(error: &std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(inner) => inner.clone(),
            None => Self::interrupted("The file could not be read to its end."),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::carried(&error)
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
