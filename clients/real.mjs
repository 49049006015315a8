// Runs the client tests against the real system: `docent up` with everything of its own, and a provider that fails on purpose.
import { spawn } from "node:child_process";
import { mkdtemp, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { api } from "./client.mjs";
import { scriptedProvider } from "./provider.mjs";

const binary = process.argv[2];
if (!binary) {
  console.error("usage: node real.mjs PATH-OF-docent [arguments of node --test]");
  process.exit(2);
}

const data = await mkdtemp(join(tmpdir(), "docent-clients-"));
// The database does not run as root: its user must be able to enter.
await chmod(data, 0o755);
// Without the shell's database, which `docent up` would prefer to the one of its own: these tests write.
const { DATABASE_URL, DIRECT_DATABASE_URL, ...shell } = process.env;
// One token asks in a minute what many people ask in an hour.
const rates = { ...shell, RATE_LIMIT_PER_MINUTE: "100000" };
const system = spawn(binary, ["up", "--port", "0", "--embedder", "hash", "--data", data], { stdio: ["ignore", "pipe", "inherit"], env: rates });
const provider = await scriptedProvider();
let code = 1;
try {
  const { url, token } = await started(system);
  // Any model of this provider is a bot that the tests may make.
  await api({ url, token })("PUT", "/api/keys/scripted", { key: "sk-scripted-provider-0000", baseUrl: provider.url });
  const environment = { ...process.env, DOCENT_URL: url, DOCENT_TOKEN: token, DOCENT_PROVIDER: provider.url };
  const tests = spawn("npm", ["test", "--", ...process.argv.slice(3)], { stdio: "inherit", env: environment, cwd: import.meta.dirname });
  code = await new Promise((resolve) => tests.on("exit", (status) => resolve(status ?? 1)));
} finally {
  provider.stop();
  system.kill("SIGTERM");
  await new Promise((resolve) => (system.exitCode === null ? system.on("exit", resolve) : resolve()));
  // Postgres may still be writing its last words.
  await rm(data, { recursive: true, force: true, maxRetries: 10 });
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
