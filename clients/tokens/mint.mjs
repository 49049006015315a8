// Writes sessions, good and forged, as JSON Lines for `cargo test -p docent --test it sessions::`:
//   node tokens/mint.mjs <file>; DOCENT_TOKENS=<file> cargo test …
// First line: the setup (time, environment, what the issuers publish); then one session per line with its verdict.
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { mock } from "node:test";
import { crooked } from "./crooked.mjs";
import { forged } from "./forged.mjs";
import { documents, environment, issuers, NOW, weakKey } from "./issuers.mjs";
import { valid } from "./valid.mjs";

const SEED = 20_261_121;
const file = process.argv[2];
if (!file) throw new Error("usage: node tokens/mint.mjs <file>");

/** A port below those that the system hands out by itself: it must be free again when the test serves on it. */
async function freePort() {
  for (let port = 18_000 + (process.pid % 10_000); ; port++) {
    const server = createServer();
    const listening = Promise.race([once(server, "listening").then(() => true), once(server, "error").then(() => false)]);
    server.listen(port, "127.0.0.1");
    if (!(await listening)) continue;
    server.close();
    return port;
  }
}

/** The same numbers in every run (mulberry32). */
function seeded(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

const port = await freePort();
const all = issuers(port);
all.auth0.weak = weakKey();
mock.timers.enable({ apis: ["Date"], now: NOW * 1000 });
const clock = (seconds) => mock.timers.setTime(seconds * 1000);
const random = seeded(SEED);

const out = createWriteStream(file, { mode: 0o600 });
const write = (value) => out.write(`${JSON.stringify(value)}\n`);
write({ now: NOW, port, environment: environment(all), documents: documents(all) });
const counts = { valid: 0, forged: 0 };
for await (const session of valid(all, clock)) {
  write({ expect: "valid", ...session });
  counts.valid += 1;
}
for (const source of [forged(all, random), crooked(clock, random)]) {
  for await (const session of source) {
    write({ expect: "refused", ...session });
    counts.forged += 1;
  }
}
out.end();
await once(out, "finish");
console.log(`${counts.valid} valid and ${counts.forged} forged sessions, seed ${SEED}: ${file}`);
