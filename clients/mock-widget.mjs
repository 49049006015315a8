// The mock's side of the widget: visitors, a bot's looks, answers that a test writes, and the cross-origin rules between them.
import { randomUUID } from "node:crypto";

export const PUBLISHABLE = "docent_pk_mock_000000000000000000000000000000mock01";

/** What tests look at and change: `origins` that may, `settings` or null, `answer(question, body)` and what was received. */
export function widgetWorld() {
  return { origins: null, settings: DEFAULT, answer: demoAnswer, lifetime: 3600, visitors: [], asked: [], ratings: [], stopped: [], stored: new Map(), running: new Map(), dead: new Set() };
}

const DEFAULT = {
  bot: "00000000-0000-7000-8000-000000000001", name: "Lighthouse Museum", language: "auto", greeting: "Hello! What would you like to know about the lighthouse?",
  suggestions: ["Who signs the keeper's log?", "When is the lamp room open?", "How tall is the tower?"],
  widget: { color: null, position: "bottom-right", theme: "auto", title: "", placeholder: "", launcher: "" },
};

/** Answers what a widget asks; false when the request is none of its. */
export async function widgetRoute(world, request, response, { json, problem, body, pause }) {
  const { pathname } = new URL(request.url, "http://mock");
  const [room, id, verb] = pathname.slice(5).split("/");
  const bearer = request.headers.authorization ?? "";
  const { origin } = request.headers;
  const mine = world.widget;
  const allowed = origin && (mine.origins === null || mine.origins.includes(origin));
  if (request.method === "OPTIONS" && origin) return preflight(response, origin);
  if (!/^Bearer docent_(pk|vt)_/.test(bearer)) return false;
  if (allowed) for (const [name, value] of Object.entries({ "access-control-allow-origin": origin, "access-control-expose-headers": "retry-after, x-request-id", vary: "origin" })) response.setHeader(name, value);
  if (bearer.startsWith("Bearer docent_pk_") && bearer !== `Bearer ${PUBLISHABLE}`) throw problem(401, "unauthorized", "This needs a valid token.", "");
  if (origin && !allowed) throw problem(403, "origin_not_allowed", "This page's origin may not do that.", "Add the page's exact origin to the publishable token.");
  if (room === "widget") return mine.settings ? (json(response, 200, mine.settings), true) : fail(problem(404, "not_found", "There is no such bot.", ""));
  if (room === "tokens") return json(response, 201, mint(mine, await body(request))), true;
  const visitor = mine.visitors.find(({ token }) => bearer === `Bearer ${token}`);
  if (!visitor || mine.dead.has(visitor.token)) throw problem(401, "unauthorized", "This needs a valid token.", "The visitor's token has ended: mint a new one with POST /api/tokens/visitor.");
  if (room === "conversations" && verb) return rate(mine, pathname, request, response, body), true;
  if (room === "conversations") return json(response, 200, { messages: mine.stored.get(decodeURIComponent(id)) ?? [] }), true;
  if (room !== "chat") return false;
  if (verb === "stream") return replay(mine, decodeURIComponent(id), response, pause), true;
  if (verb === "stop") return mine.stopped.push(decodeURIComponent(id)), json(response, 200, { success: true }), true;
  await ask(mine, await body(request), response, { problem, pause, pace: world.pace });
  return true;
}

async function rate(mine, pathname, request, response, body) {
  const [conversation, , message] = pathname.split("/").slice(3).map(decodeURIComponent);
  const { rating } = request.method === "DELETE" ? { rating: null } : await body(request);
  mine.ratings.push({ conversation, message, rating });
  response.writeHead(rating ? 200 : 204).end(rating ? JSON.stringify({ rating }) : undefined);
}

function preflight(response, origin) {
  response.writeHead(204, { "access-control-allow-origin": origin, "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE", "access-control-allow-headers": "authorization, content-type", "access-control-max-age": "600" }).end();
  return true;
}

function mint(mine, { nickname = null, identity, renew }) {
  const before = mine.visitors.find(({ token }) => token === renew);
  const visitor = identity ? `i:${identity.id}` : before?.visitor ?? `a:${randomUUID()}`;
  const made = { token: `docent_vt_mock_${randomUUID()}`, visitor, nickname, expiresAt: new Date(Date.now() + mine.lifetime * 1000).toISOString() };
  mine.visitors.push(made);
  return made;
}

/** `answer` gives chunks; among them `{pause}`, `"cut"` (a clean end without a terminal chunk), `"reset"` and `{refuse: [status, code, headers]}`. */
async function ask(mine, asked, response, { problem, pause, pace }) {
  mine.asked.push(asked);
  const chunks = await mine.answer(asked.message.parts[0].text, asked);
  if (chunks[0]?.refuse) {
    const [status, code, headers = {}] = chunks[0].refuse;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    throw problem(status, code, `refused: ${code}`, "");
  }
  const log = { chunks: [], done: false };
  mine.running.set(asked.id, log);
  begin(response);
  for (const chunk of chunks) {
    if (chunk === "cut") return response.end();
    if (chunk === "reset") return response.destroy();
    if (chunk.pause) await pause(chunk.pause);
    else {
      log.chunks.push(chunk);
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
      if (chunk.type === "text-delta") await pause(pace / 8);
    }
  }
  log.done = true;
  response.end("data: [DONE]\n\n");
}

/** From the first chunk, and on with those that still come, as the server's log gives them. */
async function replay(mine, conversation, response, pause) {
  const log = mine.running.get(conversation);
  if (!log || log.done) return response.writeHead(204).end();
  begin(response);
  for (let at = 0; at < log.chunks.length || !log.done; ) {
    if (at < log.chunks.length) response.write(`data: ${JSON.stringify(log.chunks[at++])}\n\n`);
    else await pause(10);
  }
  response.end("data: [DONE]\n\n");
}

function begin(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", "x-vercel-ai-ui-message-stream": "v1" });
  response.write(": stream-open\n\n");
}

/** A whole answer around `text`, with one source per entry of `sources` = [{title, page, quote, cited}]. */
export function answer(text, sources = [], { id = randomUUID(), end = [{ type: "finish", finishReason: "stop" }] } = {}) {
  const parts = sources.map(({ title, page = null, quote }, index) => ({ type: "source-document", sourceId: `s${index + 1}`, mediaType: "application/pdf", title, filename: title, providerMetadata: { docent: { documentId: `d${index + 1}`, page, pageLast: page, quote } } }));
  const deltas = (text.match(/\s*\S+\s*/g) ?? []).map((delta) => ({ type: "text-delta", id: "text", delta }));
  const citations = sources.map(({ page, quote, cited }, index) => ({ n: index + 1, sourceId: `s${index + 1}`, page, quote: cited ?? quote }));
  return [{ type: "start", messageId: id }, { type: "start-step" }, ...parts, { type: "text-start", id: "text" }, ...deltas, { type: "text-end", id: "text" }, { type: "data-citations", id: "citations", data: citations }, { type: "finish-step" }, ...end];
}

function demoAnswer(question) {
  if (/tall|gluon/i.test(question)) return answer("I could not find that in the documents.", [], { end: [{ type: "data-refusal", id: "refusal", data: { code: "no_support" } }, { type: "finish", finishReason: "stop" }] });
  return answer("The **senior keeper** signs the log each morning, before the lamp is trimmed [1]. Two things go with the signature:\n\n- the hour, in ship's time\n- the weather in *three words* [2]\n\nVisitors may read the log at [the front desk](https://museum.example/desk).", [
    { title: "Keeper's handbook.pdf", page: 12, quote: "Of the log. The senior keeper signs the log each morning, before the lamp is trimmed. No other hand may sign in his stead, save in sickness.", cited: "The senior keeper signs the log each morning, before the lamp is trimmed." },
    { title: "Standing orders, 1871.pdf", page: 3, quote: "The hour shall be written in ship's time, and the weather in three words, that no page be wasted.", cited: "the weather in three words" },
  ]);
}

function fail(error) {
  throw error;
}
