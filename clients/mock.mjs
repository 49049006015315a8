// A small stand-in for Docent: the HTTP contract with a scripted pipeline, so that the console and the clients can be tried without a database.
// `npm run mock` serves the console on a free port; tests call start().
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { answerChunks } from "./mock-answer.mjs";
import { addVersion, roomsRoute, roomsWorld } from "./mock-rooms.mjs";
import { widgetRoute, widgetWorld } from "./mock-widget.mjs";

const PUBLIC = fileURLToPath(new URL("../public", import.meta.url));
/** As the server has it unless told otherwise. */
const MOST_BYTES = 50 * 1024 * 1024;
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json" };
export const TOKEN = "docent_sk_mock_000000000000000000000000000000mock00";

/** Starts the mock and its bucket. `pace` is the time between two scripted steps in milliseconds. */
export async function start({ pace = 120, port = 0 } = {}) {
  const world = { documents: new Map(), bytes: new Map(), pace, widget: widgetWorld(), rooms: roomsWorld() };
  const bucket = createServer((request, response) => take(world, request, response));
  world.bucket = await listen(bucket, 0);
  const server = createServer((request, response) => route(world, request, response).catch((error) => fail(response, error)));
  const url = await listen(server, port);
  const stop = () => [server, bucket].forEach((each) => (each.closeAllConnections(), each.close()));
  return { url, token: TOKEN, widget: world.widget, rooms: world.rooms, stop };
}

function listen(server, port) {
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)));
}

async function route(world, request, response) {
  const { pathname } = new URL(request.url, "http://mock");
  if (!pathname.startsWith("/api/")) return asset(pathname, response);
  if (await widgetRoute(world, request, response, { json, problem, body, pause })) return;
  if (request.headers.authorization !== `Bearer ${TOKEN}`) throw problem(401, "token_unknown", "This token is not known", "Check that it was copied whole");
  if (await roomsRoute(world, request, response, { json, problem, body })) return;
  const [room, id, verb] = pathname.slice(5).split("/");
  const at = `${request.method} ${room}${id ? "/:id" : ""}${verb ? `/${verb}` : ""}`;
  if (at === "POST upload") return json(response, 201, place(world, await body(request)));
  if (at === "GET documents") return json(response, 200, { documents: [...world.documents.values()].reverse(), nextCursor: null });
  if (at === "POST chat") return chat(world, await body(request), response);
  const document = world.documents.get(id);
  if (!document) throw problem(404, "not_found", "There is no such document", "It may have been deleted; reload the list");
  if (at === "POST upload/:id/complete") return json(response, 202, complete(world, document));
  if (at === "GET documents/:id") return json(response, 200, document);
  if (at === "GET documents/:id/events") return follow(world, document, request, response);
  if (at === "DELETE documents/:id") return world.documents.delete(id), response.writeHead(204).end();
  throw problem(404, "not_found", "There is nothing here", "");
}

function place(world, { filename, contentType, size, onDuplicate }) {
  if (size > MOST_BYTES) throw problem(413, "too_large", `The file has ${size} bytes; the limit is ${MOST_BYTES} bytes.`, "Split the document, or ask the operator to raise MAX_UPLOAD_BYTES or MAX_STREAM_BYTES.");
  if (!(size > 0)) throw problem(422, "empty_file", `${filename} is empty`, "Choose a file with something in it");
  const now = new Date().toISOString();
  const same = onDuplicate === "version" && [...world.documents.values()].find((document) => document.filename === filename);
  if (same) addVersion(world, same, size);
  const id = same?.id ?? `doc_${randomUUID().slice(0, 8)}`;
  if (!same) world.documents.set(id, { id, filename, title: filename, contentType, size, status: "uploading", progress: { done: 0, total: 0 }, pages: null, chunks: 0, error: null, createdAt: now, updatedAt: now });
  const headers = { "content-type": contentType ?? "application/octet-stream", "if-none-match": "*" };
  return { documentId: id, upload: { method: "PUT", url: `${world.bucket}/t/mock/${id}/1`, headers, expiresAt: now } };
}

/** The bucket is another origin, as it is in life: the console's upload has to pass CORS. */
async function take(world, request, response) {
  const cors = { "access-control-allow-origin": "*", "access-control-allow-methods": "PUT", "access-control-allow-headers": "content-type,if-none-match" };
  if (request.method === "OPTIONS") return response.writeHead(204, cors).end();
  const parts = [];
  for await (const part of request) parts.push(part);
  world.bytes.set(request.url.split("/")[3], Buffer.concat(parts));
  response.writeHead(200, { ...cors, etag: '"mock"' }).end();
}

function complete(world, document) {
  const bytes = world.bytes.get(document.id);
  if (!bytes) throw problem(409, "not_uploaded", "The bytes have not arrived", "Send them to the upload's url first");
  const pages = pagesOf(document.filename, bytes);
  const total = 12;
  const steps = [{ status: "queued" }, { status: "parsing" }];
  if (pages.length === 0) steps.push({ status: "failed", error: { code: "corrupt", message: "The file could not be read as a PDF", hint: "Open and save it again, then add the new copy" } });
  else {
    for (let done = 0; done <= total; done += 2) steps.push({ status: "embedding", progress: { done, total }, pages: pages[0].page && pages.length });
    steps.push({ status: "ready", chunks: total });
  }
  Object.assign(document, steps.shift());
  world.bytes.set(document.id, pages);
  const timer = setInterval(() => {
    Object.assign(document, steps.shift(), { updatedAt: new Date().toISOString() });
    if (steps.length === 0) clearInterval(timer);
  }, world.pace);
  return { documentId: document.id, status: document.status };
}

/** Reads the uncompressed PDFs of fixtures.mjs, and text; nothing else. */
function pagesOf(filename, bytes) {
  if (!filename.endsWith(".pdf")) return [{ page: null, text: bytes.toString("utf8").replace(/^#+ .*$/gm, "") }];
  const streams = bytes.toString("latin1").match(/BT[^]*?ET/g) ?? [];
  return streams.map((stream, index) => ({ page: index + 1, text: [...stream.matchAll(/\((.*)\) Tj/g)].slice(1).map((found) => found[1].replace(/\\(.)/g, "$1")).join(" ") }));
}

async function follow(world, document, request, response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  let last = "";
  for (let id = 1; !request.destroyed && !response.closed; id += 1) {
    const data = JSON.stringify(document);
    if (data !== last) response.write(`id: ${id}\nevent: status\ndata: ${data}\n\n`);
    last = data;
    if (["ready", "failed"].includes(document.status)) break;
    await pause(world.pace / 2);
  }
  response.end();
}

async function chat(world, { message, messages, bot }, response) {
  const asked = message ?? messages?.at(-1);
  const question = asked?.parts?.filter((part) => part.type === "text").map((part) => part.text).join("") ?? "";
  if (!question) throw problem(422, "empty_question", "The question is empty", "Send a message with a text part");
  // What only a broken system says: its own faults, and the page of the platform that gave it up.
  const status = Number(/^bot_status-(\d{3})$/.exec(bot)?.[1]);
  if (status) throw problem(status, "mocked", "The mock was asked to fail", "Ask another bot");
  if (bot === "bot_page-504") return response.writeHead(504, { "content-type": "text/plain" }).end("An error occurred with your deployment\n\nFUNCTION_INVOCATION_TIMEOUT\n");
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", "x-vercel-ai-ui-message-stream": "v1", "x-accel-buffering": "no" });
  response.write(": stream-open\n\n");
  const ready = [...world.documents.values()].filter((document) => document.status === "ready");
  const library = ready.map((document) => ({ document, pages: world.bytes.get(document.id) }));
  for (const chunk of answerChunks(question, library)) {
    const halfway = chunk.type === "text-end";
    // What the clients must notice: a clean end without a terminal chunk, a broken connection, and an error told in the stream.
    if (halfway && bot === "bot_cut") return response.end();
    if (halfway && bot === "bot_reset") return response.destroy();
    if (halfway && bot === "bot_error") return response.end(`data: ${JSON.stringify({ type: "error", errorText: "upstream_truncated: The provider's answer broke off" })}\n\ndata: [DONE]\n\n`);
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    if (chunk.type === "text-delta") await pause(world.pace / 4);
  }
  response.end("data: [DONE]\n\n");
}

async function asset(pathname, response) {
  const path = normalize(pathname === "/" ? "/index.html" : pathname);
  const bytes = await readFile(join(PUBLIC, path)).catch(() => null);
  if (!bytes) return response.writeHead(404).end("not found");
  const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' http: https:; frame-ancestors 'none'";
  response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", "content-security-policy": policy, "x-content-type-options": "nosniff" }).end(bytes);
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString("utf8"));
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function problem(status, code, detail, hint) {
  return Object.assign(new Error(detail), { problem: { type: "about:blank", title: code, status, detail, code, hint, requestId: "req_mock" } });
}

function fail(response, error) {
  const told = error.problem ?? problem(500, "internal", error.message, "").problem;
  if (response.headersSent) return response.destroy();
  response.writeHead(told.status, { "content-type": "application/problem+json", "x-request-id": "req_mock" }).end(JSON.stringify(told));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url, token } = await start({ pace: 300, port: Number(process.env.PORT ?? 0) });
  console.log(`${url}/#token=${token}`);
}
