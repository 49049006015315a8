// The documents that the tests put in, and what must come out of them. Written here, so that nothing is downloaded and pages are known.

export const QUESTION = "How often is the lantern room inspected, and who signs the log?";
export const EXPECTED = { filename: "keepers-handbook.pdf", page: 2, words: "fourteen days" };

const PAGES = [
  ["The keeper's handbook", "The light is lit thirty minutes before sunset and put out thirty minutes", "after sunrise. A keeper stays in the watch room while it burns."],
  ["Care of the lantern", "The lantern room is inspected every fourteen days. The keeper on duty", "signs the log of the inspection, and the harbour office receives a copy", "by noon. Lenses are cleaned with distilled water only."],
  ["The fog signal", "The fog signal sounds for two seconds in every thirty when visibility", "falls below two nautical miles. It is tested on the first Monday."],
];

const VISITORS = `# Visitor policy

Visitors may climb the tower between ten in the morning and four in the afternoon. Children under eight must be accompanied.

Photography is welcome everywhere except in the lantern room. No visitor enters the lantern room on the day it is inspected.
`;

const HOURS = "month,opens,closes\nApril,10:00,16:00\nJuly,09:00,18:00\nOctober,10:00,15:00\n";

export const DOCUMENTS = [
  { name: EXPECTED.filename, mimeType: "application/pdf", buffer: pdf(PAGES) },
  { name: "visitor-policy.md", mimeType: "text/markdown", buffer: Buffer.from(VISITORS) },
  { name: "opening-hours.csv", mimeType: "text/csv", buffer: Buffer.from(HOURS) },
];

/** Looks like a PDF by its name and its first bytes, and is none. */
export const BROKEN = { name: "water-damaged.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.7\nnothing that could be read\n") };

/** A small PDF with one text object for each page; offsets are exact, so that strict readers take it too. */
export function pdf(pages) {
  const kids = pages.map((_, index) => `${4 + index * 2} 0 R`).join(" ");
  const objects = ["<< /Type /Catalog /Pages 2 0 R >>", `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"];
  for (const [index, lines] of pages.entries()) {
    const drawn = lines.map((line, at) => `${at ? "0 -18 Td " : ""}(${line.replace(/[\\()]/g, "\\$&")}) Tj`).join("\n");
    const content = `BT /F1 12 Tf 72 720 Td\n${drawn}\nET`;
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + index * 2} 0 R >>`);
    objects.push(`<< /Length ${content.length} >>\nstream\n${content}\nendstream`);
  }
  let text = "%PDF-1.4\n";
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  return Buffer.from(text, "latin1");
}
