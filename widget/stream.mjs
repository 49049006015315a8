// Reads an answer's server-sent events and insists on their end: one that stops without finish, error or abort is a failure.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
import { Problem } from "./problem.mjs";

const TERMINAL = new Set(["finish", "error", "abort"]);
/** The server sends a comment every 15 s; three that are missing mean that nobody writes any more. */
export const SILENCE_MS = 50_000;
/** Characters of one event. The largest that Docent sends is a source with its passage, some 8,000. */
export const LONGEST_EVENT = 1 << 20;

/** Yields the chunks up to and including the terminal one. Throws a Problem when the stream is cut, silent or unreadable. */
export async function* chunks(body, silence = SILENCE_MS) {
  let data = [];
  for await (const line of lines(body, silence)) {
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    if (line !== "" || data.length === 0) continue;
    const text = data.join("\n");
    data = [];
    if (text === "[DONE]") continue;
    const chunk = parse(text);
    yield chunk;
    if (TERMINAL.has(chunk.type)) return;
  }
  throw new Problem("stream_cut");
}

/** Complete lines only: one that the end cuts off belongs to an event that is none. */
async function* lines(body, silence) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await within(silence, reader.read());
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const complete = rest.split(/\r\n|\n|\r(?!$)/);
      rest = complete.pop();
      if (rest.length > LONGEST_EVENT) throw new Problem("stream_unreadable");
      yield* complete;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function within(milliseconds, reading) {
  let timer;
  const silent = new Promise((_, reject) => (timer = setTimeout(() => reject(new Problem("stream_cut")), milliseconds)));
  const broken = (error) => {
    throw error.name === "AbortError" || error instanceof Problem ? error : new Problem("stream_cut");
  };
  return Promise.race([reading, silent]).catch(broken).finally(() => clearTimeout(timer));
}

function parse(text) {
  try {
    const chunk = JSON.parse(text);
    if (typeof chunk?.type === "string") return chunk;
  } catch {
    // Told below, together with a chunk that has no type.
  }
  throw new Problem("stream_unreadable");
}
