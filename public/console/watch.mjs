// Follows one document until it is ready, failed or deleted: by its event stream, and by polling where that cannot be had.
import { events } from "./sse.mjs";

// A browser opens six HTTP/1.1 connections to a host; the streams must leave room for uploads and questions.
const MAX_STREAMS = 3;
const POLL_MS = 1200;
const RETRY_MS = 1000;
const SETTLED = new Set(["ready", "failed", "deleted"]);
let streams = 0;

export const settled = (document) => SETTLED.has(document.status);

/** Calls `update(document)` for every change; ends when the document has settled or `signal` is aborted. */
export async function watch(api, id, update, signal) {
  let lastEvent = null;
  let broken = 0;
  while (!signal.aborted) {
    try {
      if (streams >= MAX_STREAMS || broken > 1) {
        if (await poll(api, id, update, signal)) return;
        await pause(POLL_MS, signal);
        continue;
      }
      const state = await follow(api, id, lastEvent, update, signal);
      if (state.done) return;
      lastEvent = state.lastEvent;
      await pause(state.retry, signal);
    } catch (error) {
      if (error.name === "AbortError" || error.status === 401) return;
      if (error.status === 404) return update({ id, status: "deleted" });
      broken += 1;
      await pause(POLL_MS * Math.min(broken, 8), signal);
    }
  }
}

async function follow(api, id, lastEvent, update, signal) {
  const state = { done: false, lastEvent, retry: RETRY_MS };
  streams += 1;
  try {
    const headers = { accept: "text/event-stream", ...(lastEvent && { "last-event-id": lastEvent }) };
    const response = await api.request(`/api/documents/${encodeURIComponent(id)}/events`, { headers, signal });
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) throw new Error("not an event stream");
    for await (const event of events(response.body)) {
      state.lastEvent = event.id ?? state.lastEvent;
      state.retry = event.retry ?? state.retry;
      if (event.event !== "status" || event.data === null) continue;
      const document = JSON.parse(event.data);
      update(document);
      state.done = settled(document);
      if (state.done) break;
    }
    return state;
  } finally {
    streams -= 1;
  }
}

async function poll(api, id, update, signal) {
  const document = await api.json(`/api/documents/${encodeURIComponent(id)}`, { signal });
  update(document);
  return settled(document);
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
