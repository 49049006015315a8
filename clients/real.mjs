// Runs the client tests against the real system.
import { run, withSystem } from "./system.mjs";

const binary = process.argv[2];
if (!binary) {
  console.error("usage: node real.mjs PATH-OF-docent [arguments of node --test]");
  process.exit(2);
}

process.exit(await withSystem(binary, ({ url, token, provider }) => {
  const env = { ...process.env, DOCENT_URL: url, DOCENT_TOKEN: token, DOCENT_PROVIDER: provider };
  return run("npm", ["test", "--", ...process.argv.slice(3)], { env });
}));
