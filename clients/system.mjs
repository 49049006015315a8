// A whole system for tests: `docent up` with everything of its own, and a provider that fails on purpose.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { api } from "./client.mjs";
import { scriptedProvider } from "./provider.mjs";

/** Starts it and hands it to `work`; whatever comes of that, nothing is left behind. */
export async function withSystem(binary, work) {
  const data = await mkdtemp(join(tmpdir(), "docent-clients-"));
  // The database does not run as root: its user must be able to enter.
  await chmod(data, 0o755);
  // Without the shell's database, which `docent up` would prefer to the one of its own: these tests write.
  const { DATABASE_URL, DIRECT_DATABASE_URL, ...shell } = process.env;
  // One token asks in a minute what many people ask in an hour.
  const rates = Object.fromEntries(["", "TENANT_", "VISITOR_", "ADDRESS_"].map((whose) => [`RATE_LIMIT_${whose}PER_MINUTE`, "100000"]));
  const system = spawn(binary, ["up", "--port", "0", "--embedder", "hash", "--data", data], { stdio: ["ignore", "pipe", "inherit"], env: { ...shell, ...rates } });
  const provider = await scriptedProvider();
  try {
    const { url, token } = await started(system);
    // Any model of this provider is a bot that the tests may make.
    await api({ url, token })("PUT", "/api/keys/scripted", { key: "sk-scripted-provider-0000", baseUrl: provider.url });
    const secrets = JSON.parse(await readFile(join(data, "secrets.json"), "utf8"));
    return await work({ url, token, secrets, provider: provider.url });
  } finally {
    provider.stop();
    system.kill("SIGTERM");
    await new Promise((resolve) => (system.exitCode === null ? system.on("exit", resolve) : resolve()));
    // Postgres may still be writing its last words.
    await rm(data, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Runs a command to its end; gives its status. */
export function run(command, args, options) {
  const child = spawn(command, args, { stdio: "inherit", cwd: import.meta.dirname, ...options });
  return new Promise((resolve, reject) => child.on("error", reject).on("exit", (status) => resolve(status ?? 1)));
}

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
