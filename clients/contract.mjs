// Holds the running system to openapi.json: schemathesis makes cases that the description allows and cases that it forbids,
// as every kind of caller, and no answer may be a server error or other than described. The seed is fixed.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { addDocument, api } from "./client.mjs";
import { DOCUMENTS } from "./fixtures.mjs";
import { run, withSystem } from "./system.mjs";

const [binary, tool, examples = "300"] = process.argv.slice(2);
if (!tool) {
  console.error("usage: node contract.mjs PATH-OF-docent PATH-OF-schemathesis [cases for each operation, 300 unless said]");
  process.exit(2);
}
const schemathesis = resolve(tool);
const SEED = "20260131";
const PAGE = "https://shop.example";

/** A bot, a conversation and whatever else the cases may name, so that they do not end at "not found". */
async function furnish(docent) {
  const call = api(docent);
  const document = await addDocument(docent, DOCUMENTS[0]);
  const bot = await call("POST", "/api/bots", { name: "Contract", provider: "scripted", model: "plain" });
  const webhook = await call("POST", "/api/webhooks", { url: "https://shop.example/hook" });
  const spare = await call("POST", "/api/tokens", { name: "spare", scopes: ["read"] });
  const viewer = await call("POST", "/api/tokens", { name: "viewer", scopes: ["chat", "read"] });
  const page = await call("POST", "/api/tokens", { name: "page", publishable: true, origins: [PAGE], bot: bot.id });
  const chat = { id: "contract", bot: bot.id, stream: false, message: { id: "m1", role: "user", parts: [{ type: "text", text: "How often is the lantern room inspected?" }] } };
  const answer = await call("POST", "/api/chat", chat);
  const headers = { authorization: `Bearer ${page.token}`, origin: PAGE, "content-type": "application/json" };
  const visitor = await (await fetch(`${docent.url}/api/tokens/visitor`, { method: "POST", headers, body: "{}" })).json();
  const ids = { documents: document.id, upload: document.id, bots: bot.id, widget: bot.id, webhooks: webhook.id, tokens: spare.id, conversations: "contract", chat: "contract", keys: "scripted" };
  return { ids, message: answer.messageId, viewer: viewer.token, page: page.token, visitor: visitor.token };
}

/** For each path the values that name something. */
function known(paths, { ids, message }) {
  const value = (path, name) => (name === "message" ? message : path === "/v1/models/{id}" ? "Contract" : ids[path.split("/")[2]]);
  return Object.fromEntries(Object.keys(paths).map((path) => [path, Object.fromEntries([...path.matchAll(/{(\w+)}/g)].map(([, name]) => [name, value(path, name)]))]));
}

process.exit(await withSystem(binary, async (docent) => {
  const { paths } = JSON.parse(await readFile(new URL("../public/openapi.json", import.meta.url), "utf8"));
  const made = await furnish(docent);
  const few = String(Math.ceil(examples / 6));
  // Every boundary of every field is many cases: only where there are to be many.
  const phases = examples < 50 ? "fuzzing" : "examples,coverage,fuzzing,stateful";
  const fromPage = ["--header", `Origin: ${PAGE}`];
  const bearer = (token) => ["--header", `Authorization: Bearer ${token}`];
  const callers = {
    viewer: [few, bearer(made.viewer)],
    visitor: [few, [...bearer(made.visitor), ...fromPage, "--include-path-regex", "^/(api/(chat|conversations|search|tokens)|v1)"]],
    page: [few, [...bearer(made.page), ...fromPage, "--include-path-regex", "^/api/(widget|tokens/visitor|chat)"]],
    scheduler: [few, [...bearer(docent.secrets.cron_secret), "--include-path-regex", "^/api/ingest"]],
    // Every request of the queue's is signed, also those by which the tool would try a false signature.
    queue: [few, ["--include-path-regex", "^/api/ingest$", "--exclude-checks", "ignored_auth"]],
    nobody: [few, []],
    // The last one, because it revokes what the others show.
    owner: [examples, bearer(docent.token)],
  };
  const reports = await mkdtemp(join(tmpdir(), "docent-contract-"));
  let [cases, wrong] = [0, 0];
  for (const [role, [count, options]] of Object.entries(callers)) {
    console.log(`\n--- as ${role}`);
    const report = join(reports, `${role}.json`);
    const world = { role, report, known: known(paths, made), provider: docent.provider, ingestSecret: docent.secrets.ingest_secret };
    const args = ["--config-file", join(import.meta.dirname, "contract/schemathesis.toml"), "run", join(import.meta.dirname, "../public/openapi.json"), "--url", docent.url, "--seed", SEED, "--max-examples", count, "--phases", role === "owner" ? phases : "fuzzing", ...options];
    const env = { ...process.env, SCHEMATHESIS_HOOKS: "contract.hooks", PYTHONPATH: import.meta.dirname, CONTRACT_WORLD: JSON.stringify(world) };
    // It keeps notes of earlier runs where it is started.
    wrong += (await run(schemathesis, args, { env, cwd: reports })) ? 1 : 0;
    const answers = JSON.parse(await readFile(report, "utf8"));
    cases += Object.values(answers).reduce((sum, count) => sum + count, 0);
    console.log(`${role}: ${JSON.stringify(answers)}`);
  }
  await rm(reports, { recursive: true, force: true });
  console.log(`\n${cases} cases as ${Object.keys(callers).length} callers, seed ${SEED}: ${wrong ? `${wrong} callers found something` : "nothing found"}`);
  return wrong ? 1 : 0;
}));
