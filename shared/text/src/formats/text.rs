//! Plain text: decoded and otherwise left as it is.

use crate::charset;
use crate::error::Error;
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], declared: Option<&str>, writer: &mut Writer) -> Result<(), Error> {
    let text = charset::decode(bytes, declared, writer)?;
    for line in text.split_inclusive('\n') {
        writer.meter.node()?;
        writer.push(line)?;
    }
    Ok(())
}
