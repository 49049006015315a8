// One answer: its text with the markers as buttons, and the quote of the source that was pressed. React makes text of text: no markup of a document's or a model's gets through.
"use client";

import { useState } from "react";

export default function Answer({ parts }) {
  const [opened, setOpened] = useState(null);
  const text = parts.filter(({ type }) => type === "text").map((part) => part.text).join("");
  const sources = new Map(parts.filter(({ type }) => type === "source-document").map((part) => [part.sourceId, part]));
  const cited = parts.find(({ type }) => type === "data-citations")?.data ?? [];
  const refused = parts.some(({ type }) => type === "data-refusal");
  const number = (marker) => Number(marker.slice(1, -1));
  const source = opened && sources.get(`s${opened}`);
  const own = source?.providerMetadata?.docent ?? {};
  const quotes = cited.filter(({ n }) => n === opened).map(({ quote }) => quote);
  return (
    <article className={refused ? "answer refused" : "answer"}>
      <div className="prose">
        {text.split(/(\[\d{1,3}\])/).map((piece, index) => (/^\[\d+\]$/.test(piece) && sources.has(`s${number(piece)}`)
          ? <button key={index} className="cite" aria-expanded={opened === number(piece)} aria-label={`Source ${number(piece)}: ${sources.get(`s${number(piece)}`).title}`} onClick={() => setOpened(opened === number(piece) ? null : number(piece))}>{number(piece)}</button>
          : piece))}
      </div>
      {source && (
        <figure className="quote">
          <blockquote>{marked(own.quote ?? "", quotes)}</blockquote>
          <figcaption className="muted">{source.filename ?? source.title}{Number.isInteger(own.page) && `, page ${own.page}`}</figcaption>
        </figure>
      )}
    </article>
  );
}

/** The passage with the cited words marked; words that are not in it (a stored answer has no passages) stand alone. */
function marked(passage, quotes) {
  if (!quotes.every((quote) => passage.includes(quote))) return quotes.map((quote, index) => <p key={index}><mark>{quote}</mark></p>);
  const starts = quotes.map((quote) => [passage.indexOf(quote), quote.length]).sort((a, b) => a[0] - b[0]);
  const pieces = [];
  let from = 0;
  for (const [start, length] of starts) {
    if (start < from) continue;
    pieces.push(passage.slice(from, start), <mark key={start}>{passage.slice(start, start + length)}</mark>);
    from = start + length;
  }
  return [...pieces, passage.slice(from)];
}
