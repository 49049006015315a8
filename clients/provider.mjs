// A chat provider on loopback that speaks OpenAI's chat completions by script: the model's name, up to its first `/`,
// says what becomes of the answer, so that every fault can be had on purpose. What follows the `/` keeps two cases apart.
import { createServer } from "node:http";

/** What `plain` says, in several deltas. Passage 1 must say it, too, or the citations are dropped. */
export const ANSWER = "The lantern room is inspected every fourteen days [1]. The keeper on duty signs the log of the inspection [1].";
/** What `held` says, of which it keeps the second half until it is told to go on; `long` says it ten times, a word at a time. */
export const SLOW = Array.from({ length: 24 }, (_, at) => `word${at}`).join(" ");
/** What comes before a fault in the middle of an answer. */
export const BEGUN = "The lantern room is ";

const SLOW_MS = 75;
/** Nobody tells it to go on after the test that asked has failed. */
const MOST_HELD_MS = 20_000;
const STOP = chunk({}, "stop") + "data: [DONE]\n\n";
const FAULT = { message: "The server had an error: sk-provider-secret.", type: "server_error", code: "server_error" };

/** Each writes an answer whose head has been sent. */
const SCRIPTS = {
  plain: (response) => response.end(spoken(ANSWER) + STOP),
  held: async (response, { seen }) => {
    const [first, second] = [SLOW.slice(0, SLOW.length / 2), SLOW.slice(SLOW.length / 2)];
    await slowly(response, first);
    await Promise.race([seen.released, new Promise((resolve) => setTimeout(resolve, MOST_HELD_MS).unref())]);
    response.end(spoken(second) + STOP);
  },
  long: async (response) => {
    await slowly(response, Array(10).fill(SLOW).join(" "));
    response.end(STOP);
  },
  /** How many questions the provider was sent, the present one among them. */
  turns: (response, { messages }) => response.end(spoken(`You have asked ${messages.filter(({ role }) => role === "user").length} times.`) + STOP),
  /** How many times this model was asked. */
  count: (response, { seen }) => response.end(spoken(`This is answer ${seen.times}.`) + STOP),
  empty: (response) => response.end(STOP),
  length: (response) => response.end(spoken(BEGUN) + chunk({}, "length") + "data: [DONE]\n\n"),
  filtered: (response) => response.end(spoken(BEGUN) + chunk({}, "content_filter") + "data: [DONE]\n\n"),
  /** The connection breaks. */
  cut: (response) => response.write(spoken(BEGUN), () => setTimeout(() => response.destroy(), 20)),
  /** A clean end without any marker. */
  short: (response) => response.end(spoken(BEGUN)),
  /** One half of the end marker without the other. */
  unfinished: (response) => response.end(spoken(BEGUN) + chunk({}, "stop")),
  unreasoned: (response) => response.end(`${spoken(BEGUN)}data: [DONE]\n\n`),
  fault: (response) => response.end(`${spoken(BEGUN)}data: ${JSON.stringify({ error: FAULT })}\n\n`),
  garbage: (response) => response.end(`${spoken(BEGUN)}data: <html>502</html>\n\n${STOP}`),
};

/** What the provider answers instead of 200 for `status-401` and its like, in OpenAI's words. */
const REFUSALS = {
  400: { type: "invalid_request_error", code: "invalid_value" },
  401: { type: "invalid_request_error", code: "invalid_api_key" },
  403: { type: "invalid_request_error", code: "unsupported_country_region_territory" },
  404: { type: "invalid_request_error", code: "model_not_found" },
  413: { type: "invalid_request_error", code: "request_too_large" },
  429: { type: "requests", code: "rate_limit_exceeded" },
  500: FAULT,
  503: FAULT,
};

/** Answers `{url, stop}`. `GET /asked/{model}` beside the API says `{times, left}`: how often it was asked, and by how many who went away. */
export async function scriptedProvider() {
  const asked = new Map();
  const server = createServer((request, response) => route(asked, request, response).catch(() => response.destroy()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => (server.closeAllConnections(), server.close());
  return { url: `http://127.0.0.1:${server.address().port}/v1`, stop };
}

async function route(asked, request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const [, , verb, ...rest] = request.url.split("/").map(decodeURIComponent);
  const named = rest.join("/");
  if (verb === "asked") return json(response, 200, note(asked, named));
  if (verb === "release") return note(asked, named).release(), json(response, 200, {});
  if (verb === "models") return json(response, 200, { object: "list", data: [{ id: "plain", object: "model" }] });
  const { model, messages } = JSON.parse(Buffer.concat(parts).toString("utf8"));
  const seen = note(asked, model);
  seen.times += 1;
  response.on("close", () => response.writableFinished || (seen.left += 1));
  const [behaviour] = model.split("/");
  const status = Number(/^status-(\d{3})$/.exec(behaviour)?.[1]);
  if (status) return json(response, status, { error: { message: "sk-provider-secret was refused", param: null, ...REFUSALS[status] } }, { "retry-after": "0" });
  response.writeHead(200, { "content-type": "text/event-stream" });
  await SCRIPTS[behaviour](response, { messages, seen });
}

/** What is known of a model. */
function note(asked, model) {
  if (!asked.has(model)) {
    let release;
    const released = new Promise((resolve) => (release = resolve));
    asked.set(model, { times: 0, left: 0, released, release });
  }
  return asked.get(model);
}

async function slowly(response, text) {
  for (const word of text.split(/(?<= )/)) {
    if (response.closed) return;
    response.write(chunk({ content: word }));
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
  }
}

function spoken(text) {
  return chunk({ role: "assistant", content: "" }) + text.split(/(?<= )/).map((content) => chunk({ content })).join("");
}

function chunk(delta, finish_reason = null) {
  return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
}

function json(response, status, value, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
}
