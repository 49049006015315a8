// The mock's pages for a tenant's keeper: bots, keys, tokens, usage, search, conversations and what became of them, with the server's own refusals.
import { randomUUID } from "node:crypto";

const DAY_MS = 86_400_000;
const KNOWN = ["openai", "anthropic", "gemini", "mistral", "groq", "xai", "cohere", "voyage", "openrouter", "ollama"];
export const SHELF = "00000000-0000-7000-8000-00000000c011";
export const DEFAULT_BOT = "00000000-0000-7000-8000-000000000001";

/** What tests look at and change. */
export function roomsWorld() {
  const bot = { ...blank("Lighthouse Museum"), id: DEFAULT_BOT, isDefault: true, greeting: "Hello! What would you like to know about the lighthouse?", suggestions: ["Who signs the keeper's log?", "When is the lamp room open?"] };
  return { bots: new Map([[bot.id, bot]]), keys: new Map(), tokens: new Map([["t0", seed()]]), caps: { tenant: "5.00" }, usage: usageOf(), conversations: conversationsOf(), versions: new Map() };
}

function blank(name) {
  const now = new Date().toISOString();
  return { id: randomUUID(), name, instructions: "", provider: "extractive", model: "", refusal: "I could not find that in the documents.", collections: [SHELF], embeddingModel: "hash-256", fallbackProvider: "", fallbackModel: "", resumable: false, tone: "", language: "auto", historyLength: 12, temperature: null, greeting: "", suggestions: [], widget: { color: null, position: "bottom-right", theme: "auto", title: "", placeholder: "", launcher: "" }, isDefault: false, createdAt: now, updatedAt: now };
}

function seed() {
  return { id: "t0", name: "docent up", kind: "secret", last4: "ck00", scopes: ["chat", "read", "write", "admin"], origins: [], bot: null, expiresAt: null, lastUsedAt: new Date().toISOString(), createdAt: "2026-11-01T08:00:00Z" };
}

/** Answers what is one of its own; false for everything else. */
export async function roomsRoute(world, request, response, tools) {
  const { pathname, searchParams } = new URL(request.url, "http://mock");
  const [room, id, verb] = pathname.slice(5).split("/").map(decodeURIComponent);
  const known = { bots, keys, tokens, usage, search, conversations, collections, documents }[room];
  if (!known) return false;
  const asked = { ...tools, method: request.method, id, verb, query: searchParams, body: () => tools.body(request), world, rooms: world.rooms };
  const answer = await known(asked);
  if (answer === undefined) return false;
  const [status, value, headers = {}] = answer;
  for (const [name, text] of Object.entries(headers)) response.setHeader(name, text);
  if (status === 204) response.writeHead(204).end();
  else if (typeof value === "string") response.writeHead(status, { "content-type": "text/markdown; charset=utf-8" }).end(value);
  else tools.json(response, status, value);
  return true;
}

async function bots({ method, id, verb, query, body, rooms, problem }) {
  if (!id) return method === "POST" ? [201, make(rooms, await body(), problem)] : [200, { bots: [...rooms.bots.values()] }];
  const bot = rooms.bots.get(id);
  if (!bot) throw problem(404, "not_found", "There is no such bot.", "Check the address and the id.");
  if (verb === "gaps") return [200, gaps(bot)];
  if (verb === "feedback") return [200, feedback(bot, query.get("rating"))];
  if (method === "GET") return [200, bot];
  if (method === "DELETE") return rooms.bots.delete(id), [204];
  const change = await body();
  const changed = { ...bot, ...change, widget: { ...bot.widget, ...change.widget } };
  check(changed, problem);
  rooms.bots.set(id, { ...changed, updatedAt: new Date().toISOString() });
  return [200, rooms.bots.get(id)];
}

function make(rooms, { name = "" }, problem) {
  const bot = blank(name);
  check(bot, problem);
  rooms.bots.set(bot.id, bot);
  return bot;
}

/** Some of the server's limits, in its words. */
function check({ name, greeting, suggestions, language, historyLength, temperature, widget, provider, model }, problem) {
  const wrong = (detail, hint = "Correct the request and send it again.") => problem(400, "invalid_request", detail, hint);
  if (!name.trim() || name.length > 200) throw wrong("`name` holds 1 to 200 characters.");
  if (greeting.length > 1000) throw wrong("`greeting` holds 0 to 1000 characters.");
  if (suggestions.length > 8) throw wrong("`suggestions` holds at most 8 questions.");
  if (language !== "auto" && !/^[a-z]{2,3}(-[a-z0-9]{1,8})*$/i.test(language)) throw wrong("`language` is `auto` or a BCP 47 tag, such as `de` or `pt-BR`.");
  if (!(historyLength >= 0 && historyLength <= 50)) throw wrong("`historyLength` is a number of messages from 0 to 50.");
  if (temperature !== null && !(temperature >= 0 && temperature <= 2)) throw wrong("`temperature` is a number from 0 to 2.", "Send null to leave it to the model.");
  if (widget.color !== null && !/^#[0-9a-f]{6}$/i.test(widget.color)) throw wrong("`widget.color` is a colour such as `#1a73e8`.", "Write `#` and six hexadecimal digits, or send null.");
  if (provider !== "extractive" && !model.trim()) throw wrong(`\`model\` is needed with the provider \`${provider}\`.`);
}

function gaps({ isDefault }) {
  if (!isDefault) return { gaps: [], questions: 0, truncated: false };
  const ago = (days) => new Date(Date.now() - days * DAY_MS).toISOString();
  const gap = (question, asked, days, examples) => ({ question, asked, firstAskedAt: ago(days + 6), lastAskedAt: ago(days), examples });
  return { gaps: [gap("Do you ship postcards to Norway?", 7, 0.2, ["shipping to norway", "Can I order postcards from Norway?"]), gap("Is the tower open at night?", 3, 1, []), gap("مواعيد الزيارة في العيد؟", 1, 2, [])], questions: 11, truncated: false };
}

function feedback({ isDefault }, rating) {
  const one = (given, question, answer, comment) => ({ messageId: randomUUID(), rating: given, comment, question, answer, createdAt: "2026-11-20T10:00:00Z", updatedAt: "2026-11-20T10:00:00Z" });
  const all = isDefault ? [one("down", "When is the lamp room open?", "The lamp room is open from ten to four.", "On Mondays it is closed. <img src=x onerror=alert(1)>"), one("up", "Who signs the log?", "The keeper on duty signs the log.", "")] : [];
  return { feedback: all.filter((each) => !rating || each.rating === rating), nextCursor: null };
}

async function keys({ method, id, verb, body, rooms, problem }) {
  if (!id) return [200, { keys: [...rooms.keys.values()] }];
  if (method === "PUT") return [200, save(rooms, id, await body(), problem)];
  const key = rooms.keys.get(id);
  if (!key) throw problem(404, "not_found", "There is no such key.", "Check the address and the id.");
  if (verb === "check") return (key.checkedAt = new Date().toISOString()), [200, key];
  if (method === "DELETE") return rooms.keys.delete(id), [204];
  return [200, key];
}

function save(rooms, provider, { key = "", baseUrl }, problem) {
  const wrong = (detail, hint) => problem(400, "invalid_request", detail, hint);
  if (!key) throw wrong("`key` is empty.", "Correct the request and send it again.");
  if (/[^!-~]/.test(key)) throw wrong("`key` holds white space, a control character or a letter outside ASCII.", "Copy the key again, without quotes, spaces or line breaks.");
  if (!baseUrl && !KNOWN.includes(provider)) throw wrong(`The base URL of \`${provider}\` is not known here.`, "Give it as `baseUrl`.");
  const now = new Date().toISOString();
  const bad = key.includes("bad");
  const saved = { provider, baseUrl: baseUrl ?? `https://api.${provider}.example/v1`, last4: key.slice(-4), fingerprint: "9f86d081884c7d65", status: bad ? "bad" : "good", hint: bad ? "Copy the key again from the provider's console and save it again." : null, checkedAt: now, createdAt: now, updatedAt: now };
  rooms.keys.set(provider, saved);
  return saved;
}

async function tokens({ method, id, body, rooms, problem }) {
  if (method === "DELETE") return rooms.tokens.delete(id), [204];
  if (method === "GET") return [200, { tokens: [...rooms.tokens.values()] }];
  const { name, publishable = false, scopes = [], origins = [], bot = null, expiresAt = null } = await body();
  const wrong = (detail, hint = "Correct the request and send it again.") => problem(400, "invalid_request", detail, hint);
  if (!name.trim()) throw wrong("`name` holds 1 to 200 characters.");
  if (!publishable && !scopes.length) throw wrong("`scopes` holds one or more of chat, read, write, admin.");
  if (publishable && !origins.length) throw wrong("`origins` holds 1 to 20 origins of pages.", "Write them as browsers do: https://shop.example, without a path.");
  const bad = origins.find((origin) => !/^https?:\/\/[^/\s]+$/.test(origin));
  if (bad) throw wrong(`\`origins\` holds ${bad}, which is no origin.`, "Write them as browsers do: https://shop.example, without a path.");
  const token = `docent_${publishable ? "pk" : "sk"}_mock_${randomUUID().replaceAll("-", "")}`;
  const made = { id: randomUUID(), name, kind: publishable ? "publishable" : "secret", last4: token.slice(-4), scopes, origins, bot, expiresAt, lastUsedAt: null, createdAt: new Date().toISOString() };
  rooms.tokens.set(made.id, made);
  return [201, { ...made, token, ...(publishable && { visitorSecret: "mock-visitor-secret" }) }];
}

async function usage({ method, id, body, rooms, problem }) {
  if (id !== "caps") return [200, rooms.usage];
  if (method === "GET") return [200, { caps: rooms.caps }];
  const { caps } = await body();
  if (Object.values(caps).some((amount) => Number(amount) > 1_000_000)) throw problem(400, "invalid_request", "A cap is an amount of dollars a day in quotes, \"0\" to \"1000000\", with at most 6 decimals.", "Correct the request and send it again.");
  rooms.caps = Object.fromEntries(Object.entries(caps).map(([subject, amount]) => [subject, Number(amount).toFixed(2)]));
  return [200, { caps: rooms.caps }];
}

/** Thirty days of a small museum: weekdays are busier, and one day had a school class. */
function usageOf() {
  const usage = [];
  for (let ago = 29; ago >= 0; ago -= 1) {
    const at = new Date(Date.now() - ago * DAY_MS);
    const requests = at.getUTCDay() % 6 === 0 ? 0 : 14 + ((ago * 7) % 11) + (ago === 9 ? 46 : 0);
    const line = (kind, provider, model, share, price) => ({ day: at.toISOString().slice(0, 10), kind, provider, model, paidBy: "tenant", requests: Math.round(requests * share), inputTokens: Math.round(requests * share * 2100), outputTokens: kind === "chat" ? Math.round(requests * share * 240) : 0, costUsd: (requests * share * price).toFixed(6), estimated: false });
    if (requests) usage.push(line("chat", "openai", "gpt-5-mini", 1, 0.011), line("chat", "anthropic", "claude-haiku", 0.3, 0.018), line("embedding", "openai", "text-embedding-3-small", 1.2, 0.0002));
  }
  const today = [{ subject: "tenant", paidBy: "tenant", spentUsd: "0.31", reservedUsd: "0.02", capUsd: "5.00", leftUsd: "4.67" }];
  return { days: 30, prices: "2026-11-18", usage: usage.reverse(), today };
}

async function search({ method, body, world, problem }) {
  if (method !== "POST") return undefined;
  const { query, limit } = await body();
  if (!query.trim()) throw problem(400, "invalid_request", "`query` holds 1 to 8000 bytes of text.", "Correct the request and send it again.");
  const terms = [...new Set(query.toLowerCase().match(/\p{L}{4,}/gu) ?? [])];
  const ready = [...world.documents.values()].filter(({ status }) => status === "ready");
  const found = ready.flatMap((document) => world.bytes.get(document.id).map(({ page, text }, ordinal) => ({ document, page, text, ordinal, shared: terms.filter((term) => text.toLowerCase().includes(term)).length })));
  const hits = found.filter(({ shared }) => shared > 0).sort((one, other) => other.shared - one.shared).slice(0, limit ?? 8);
  const wire = ({ document, page, text, ordinal, shared }, at) => ({ documentId: document.id, revision: 1, ordinal, filename: document.filename, title: document.title, page, pageLast: page, headingPath: [], span: [0, text.length], quote: text.trim(), score: 0.0328 / (at + 1), bm25: shared * 1.4, coverage: shared / terms.length, cosine: at < 2 ? 0.61 - at / 10 : null, ranks: { bm25: at + 1, cosine: at < 2 ? at + 1 : null } });
  return [200, { hits: hits.map(wire), explain: { terms, model: "hash-256", collections: [SHELF], metadata: null, reranked: false, rerankError: null, milliseconds: { embed: 0.4, search: 3.2, rerank: 0 } } }];
}

async function collections() {
  return [200, { collections: [{ id: SHELF, name: "Library", embeddingModel: "hash-256", documents: 3, createdAt: "2026-11-01T08:00:00Z" }, { id: `${SHELF.slice(0, -1)}2`, name: "Archive", embeddingModel: "hash-256", documents: 0, createdAt: "2026-11-02T08:00:00Z" }] }];
}

function conversationsOf() {
  const at = "2026-11-21T09:30:00Z";
  const message = (role, text, more = {}) => ({ id: randomUUID(), role, text, citations: [], usage: {}, state: "complete", errorCode: null, createdAt: at, feedback: null, ...more });
  const quote = { n: 1, filename: "keepers-handbook.pdf", page: 2, quote: "The keeper on duty signs the log of the inspection" };
  const one = (id, title, messages) => [id, { id, title, createdAt: at, updatedAt: at, messages }];
  return new Map([
    one("chat_1", "Who signs the log?", [message("user", "Who signs the log?"), message("assistant", "The keeper on duty signs the log [1].", { citations: [quote], feedback: { rating: "up", comment: "Thanks" } })]),
    one("chat_2", "<img src=x onerror=alert(1)> ‮gnp.exe", [message("user", "<script>alert(1)</script>"), message("assistant", "I could not find that in the documents.", { state: "refused" })]),
  ]);
}

async function conversations({ method, id, verb, query, rooms, problem }) {
  const listed = ({ id: key, title, createdAt, updatedAt }) => ({ id: key, title, createdAt, updatedAt });
  const all = [...rooms.conversations.values()];
  if (!id) return [200, { conversations: all.map(listed), nextCursor: null }];
  if (id === "search") {
    const words = query.get("q").toLowerCase();
    const matching = (one) => one.messages.filter(({ text }) => text.toLowerCase().includes(words));
    const match = ({ id: messageId, role, text, createdAt }) => ({ messageId, role, createdAt, before: text.slice(0, text.toLowerCase().indexOf(words)), match: words, after: text.slice(text.toLowerCase().indexOf(words) + words.length) });
    return [200, { conversations: all.filter((one) => matching(one).length).map((one) => ({ ...listed(one), matches: matching(one).map(match) })), nextCursor: null }];
  }
  const one = rooms.conversations.get(id);
  if (!one) throw problem(404, "not_found", "There is no such conversation.", "Check the address and the id.");
  if (method === "DELETE") return rooms.conversations.delete(id), [204];
  if (verb === "export" && query.get("format") === "markdown") return [200, `# ${one.title}\n`];
  return [200, { ...one, nextCursor: null }];
}

function versionsOf(rooms, { id, size, contentType, createdAt }) {
  return rooms.versions.get(id) ?? [{ version: 1, current: true, restores: null, size, contentType, sha256: null, receivedAt: createdAt, createdAt }];
}

/** Readers see it at once. */
export function addVersion({ rooms }, document, size, restores = null) {
  const before = versionsOf(rooms, document);
  const version = before[0].version + 1;
  rooms.versions.set(document.id, [{ ...before[0], version, size, restores, current: true }, ...before.map((one) => ({ ...one, current: false }))]);
  return version;
}

async function documents({ method, id, verb, body, world, rooms }) {
  const document = world.documents.get(id);
  if (!document || (verb && !["versions", "restore", "redrive"].includes(verb)) || (!verb && method !== "PATCH")) return undefined;
  const versions = versionsOf(rooms, document);
  if (verb === "versions") return [200, { versions }];
  if (verb === "restore") {
    const { version } = await body();
    return [202, { documentId: id, version: addVersion(world, document, document.size, version) }];
  }
  if (verb === "redrive") return Object.assign(document, { status: "ready", error: null }), [202, document];
  Object.assign(document, await body());
  return [200, document];
}
