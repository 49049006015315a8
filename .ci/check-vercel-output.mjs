// What `vercel build` made of the project: every function, only public/'s files, and each path at its function.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const FUNCTIONS = ["bots", "chat", "health", "ingest", "keys", "upload"];
const PATHS = {
  "/api/health": "health",
  "/api/health/ping": "health",
  "/api/health/ready": "health",
  "/api/no-such-path": "health",
  "/api/upload": "upload",
  "/api/upload/0190/complete": "upload",
  "/api/documents": "upload",
  "/api/documents/0190/events": "upload",
  "/api/collections": "upload",
  "/api/keys": "keys",
  "/api/keys/openai": "keys",
  "/api/tokens": "keys",
  "/api/tokens/0190": "keys",
  "/api/webhooks": "keys",
  "/api/webhooks/0190": "keys",
  "/api/bots": "bots",
  "/api/bots/0190": "bots",
  "/api/usage": "bots",
  "/api/usage/caps": "bots",
  "/api/widget/0190": "bots",
  "/api/search": "bots",
  "/api/conversations": "bots",
  "/api/conversations/0190": "bots",
  "/api/chat": "chat",
  "/api/chat/0190/stream": "chat",
  "/v1/chat/completions": "chat",
  "/v1/models": "chat",
  "/api/ingest": "ingest",
  "/api/ingest/sweep": "ingest",
};

// Source paths in a panic's message tell which crates were linked. Who touches no file pays for no S3 client and no parser.
const LINKED = { "aws-sdk-s3-": ["ingest", "upload"], "unpdf-": ["ingest"] };

const project = process.argv[2];
const output = join(project, ".vercel/output");
const { routes, crons } = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));

const built = readdirSync(join(output, "functions/api")).filter((name) => name.endsWith(".func"));
assert.deepEqual(built.sort(), FUNCTIONS.map((name) => `${name}.func`), "one function per entry point");
for (const name of FUNCTIONS) {
  const folder = join(output, "functions/api", `${name}.func`);
  const config = JSON.parse(readFileSync(join(folder, ".vc-config.json"), "utf8"));
  assert.equal(config.supportsResponseStreaming, true, name);
  assert.equal(config.maxDuration, ["chat", "ingest"].includes(name) ? 300 : 60, name);
  const executable = readFileSync(join(project, config.filePathMap.executable));
  for (const [crate, functions] of Object.entries(LINKED)) {
    assert.equal(executable.includes(crate), functions.includes(name), `${name} and ${crate}`);
  }
  const size = executable.length;
  console.log(`${name.padEnd(7)} ${(size / 1e6).toFixed(1)} MB, ${config.maxDuration} s`);
}

assert.deepEqual(files(join(output, "static")), files(join(project, "public")), "nothing but public/ is published");
for (const [path, name] of Object.entries(PATHS)) assert.deepEqual(route(path), { path: `/api/${name}`, query: "" }, path);
for (const { path } of crons) assert.equal(route(path).path, "/api/ingest", "the schedule reaches ingest");
console.log(`vercel build: ${FUNCTIONS.length} functions, ${Object.keys(PATHS).length} paths, only public/ is published`);

function files(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name))).sort();
}

/** Vercel's order: what stands in the file system (a function's own name) wins, then the first rewrite that matches. */
function route(path) {
  if (FUNCTIONS.includes(path.replace(/^\/api\//, ""))) return { path, query: "" };
  const rewrites = routes.slice(routes.findIndex(({ handle }) => handle === "filesystem") + 1);
  const rewrite = rewrites.find(({ src, dest }) => src && dest && new RegExp(src).test(path));
  const [target, query = ""] = (rewrite?.dest ?? "").split("?");
  return { path: target, query };
}
