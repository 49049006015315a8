// Runs the client tests against the real system: `docent up` with everything of its own, and a provider that cuts.
import { spawn } from "node:child_process";
import { mkdtemp, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cutProvider } from "./cut-provider.mjs";

const binary = process.argv[2];
if (!binary) {
  console.error("usage: node real.mjs PATH-OF-docent [arguments of node --test]");
  process.exit(2);
}

const data = await mkdtemp(join(tmpdir(), "docent-clients-"));
// The database does not run as root: its user must be able to enter.
await chmod(data, 0o755);
const system = spawn(binary, ["up", "--port", "0", "--embedder", "hash", "--data", data], { stdio: ["ignore", "pipe", "inherit"] });
const provider = await cutProvider();
let code = 1;
try {
  const { url, token } = await started(system);
  const bot = await cutBot(url, token, provider.url);
  const environment = { ...process.env, DOCENT_URL: url, DOCENT_TOKEN: token, DOCENT_CUT_BOT: bot };
  const tests = spawn("npm", ["test", "--", ...process.argv.slice(3)], { stdio: "inherit", env: environment, cwd: import.meta.dirname });
  code = await new Promise((resolve) => tests.on("exit", (status) => resolve(status ?? 1)));
} finally {
  provider.stop();
  system.kill("SIGTERM");
  await new Promise((resolve) => (system.exitCode === null ? system.on("exit", resolve) : resolve()));
  await rm(data, { recursive: true, force: true });
}
process.exit(code);

function started(child) {
  return new Promise((resolve, reject) => {
    let printed = "";
    child.stdout.on("data", (bytes) => {
      printed += bytes;
      const found = /(http:\/\/127\.0\.0\.1:\d+)\/#token=(docent_sk_\w+)/.exec(printed);
      if (found) resolve({ url: found[1], token: found[2] });
    });
    child.on("exit", (status) => reject(new Error(`docent up ended with ${status} before it came up`)));
  });
}

async function cutBot(url, token, baseUrl) {
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  await call("PUT", "/api/keys/cut", { key: "sk-cut-provider-0000", baseUrl });
  const bot = await call("POST", "/api/bots", { name: "Cut", provider: "cut", model: "cut" });
  return bot.id;
}
