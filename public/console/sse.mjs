// Reads server-sent events from a fetch body (the browser's EventSource cannot send a bearer token).
// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

/** Yields `{event, id, data, retry}`. An event that the end of the stream cuts off is dropped, as the specification asks. */
export async function* events(body) {
  let event = blank();
  for await (const line of lines(body)) {
    if (line === "") {
      if (event.data !== null || event.retry !== null) yield event;
      event = blank();
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
    else if (field === "event") event.event = value;
    else if (field === "id") event.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) event.retry = Number(value);
  }
}

function blank() {
  return { event: "message", id: null, data: null, retry: null };
}

async function* lines(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const complete = rest.split(/\r\n|\n|\r(?!$)/);
      rest = complete.pop();
      yield* complete;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
