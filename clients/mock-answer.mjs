// The mock's answers: the sentences that share most words with the question, quoted, as an extractive answerer would.

const COMMON = new Set("a an and are at be by do does for how in is it may of on or that the there they to was what when where which who why with".split(" "));
const MAX_SENTENCES = 3;

/** The chunks of one answer from `library` = [{document, pages: [{page, text}]}]. */
export function answerChunks(question, library) {
  const hits = best(question, library);
  const head = [{ type: "start", messageId: `msg_${Date.now()}`, messageMetadata: { requestId: "req_mock", answerer: "extractive: quotes, no model" } }, { type: "start-step" }];
  const tail = [{ type: "finish-step" }, { type: "finish", finishReason: "stop", messageMetadata: { usage: { inputTokens: 0, outputTokens: 0 } } }];
  if (hits.length === 0) {
    const text = "I found nothing in your documents that answers this.";
    return [...head, ...spoken(text), { type: "data-refusal", data: { code: "no_support" } }, ...tail];
  }
  const sources = hits.map(({ document, page, text, sentence, score }, index) => ({
    type: "source-document", sourceId: `src_${index + 1}`, mediaType: document.contentType ?? "text/plain", title: document.title, filename: document.filename,
    providerMetadata: { docent: { documentId: document.id, revision: 1, page, pageLast: page, ordinal: page ?? 0, quote: text.trim(), span: [text.indexOf(sentence), text.indexOf(sentence) + sentence.length], score } },
  }));
  const text = hits.map(({ sentence }, index) => `${sentence} [${index + 1}]`).join(" ");
  const citations = hits.map(({ page, sentence }, index) => ({ n: index + 1, sourceId: `src_${index + 1}`, page, quote: sentence }));
  return [...head, ...sources, ...spoken(text), { type: "data-citations", data: citations }, ...tail];
}

function spoken(text) {
  const deltas = text.match(/\S+\s*/g).map((delta) => ({ type: "text-delta", id: "t", delta }));
  return [{ type: "text-start", id: "t" }, ...deltas, { type: "text-end", id: "t" }];
}

function best(question, library) {
  const asked = words(question);
  const hits = library.flatMap(({ document, pages }) => pages.flatMap(({ page, text }) => (text.match(/[^.!?]+[.!?]/g) ?? []).map((found) => {
    const sentence = found.trim();
    const shared = [...words(sentence)].filter((word) => asked.has(word)).length;
    return { document, page, text, sentence, score: shared / asked.size };
  })));
  return hits.filter((hit) => hit.score >= 0.3).sort((a, b) => b.score - a.score).slice(0, MAX_SENTENCES);
}

function words(text) {
  return new Set((text.toLowerCase().match(/[a-z]+/g) ?? []).filter((word) => !COMMON.has(word)));
}
