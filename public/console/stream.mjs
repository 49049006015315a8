// Reads a UI message stream and insists on its end: one that stops without finish, error or abort is a failure, never an answer.
import { Problem } from "./api.mjs";
import { events } from "./sse.mjs";

const TERMINAL = new Set(["finish", "error", "abort"]);

/** Yields the chunks up to and including the terminal one. Throws a Problem when the stream is cut or is not this protocol. */
export async function* chunks(body) {
  try {
    for await (const { data } of events(body)) {
      if (data === null || data === "[DONE]") continue;
      const chunk = parse(data);
      yield chunk;
      if (TERMINAL.has(chunk.type)) return;
    }
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    throw cut();
  }
  throw cut();
}

/** The `code: message` of an error chunk. */
export function errorOf(errorText) {
  const [, code, detail] = /^([a-z][a-z0-9_]*): ([^]*)$/.exec(errorText) ?? [null, "failed", errorText];
  return new Problem({ code, detail: detail || "The answer failed", hint: "" });
}

function cut() {
  return new Problem({ code: "stream_cut", detail: "The answer broke off before its end", hint: "What arrived is kept above; try again for the whole of it" });
}

function parse(data) {
  try {
    const chunk = JSON.parse(data);
    if (typeof chunk?.type === "string") return chunk;
  } catch {
    // Told below, together with a chunk that has no type.
  }
  throw new Problem({ code: "stream_unreadable", detail: "The answer arrived in a form that the console cannot read", hint: "Reload the page; if it stays, the server and the console are of different versions" });
}
