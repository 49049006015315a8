// What the console costs its reader: bytes, first paint, and the time from a key press to the first words, beside the same question asked by plain fetch.
// Times are printed, because they are the machine's; the bytes are exact, and are held.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { addDocument, api } from "./client.mjs";
import { launch, openConsole } from "./browser.mjs";
import { DOCUMENTS, QUESTION } from "./fixtures.mjs";
import { isMock, target } from "./target.mjs";

const PUBLIC = fileURLToPath(new URL("../public", import.meta.url));
/** Gzip, each file by itself, as they are sent. */
const MOST_FIRST = 28 * 1024;
const MOST_PAGES = 40 * 1024;
const TIMES = 7;
let docent;
let browser;
let document;

before(async () => {
  docent = await target({ pace: 20 });
  browser = await launch();
  document = await addDocument(docent, DOCUMENTS[0]);
});
after(async () => {
  await browser?.close();
  if (document) await api(docent)("DELETE", `/api/documents/${document.id}`);
  docent?.stop();
});

test("the first view fetches no more script than it needs, and the pages together stay small", async () => {
  const first = await closure(["theme.js", "console.js"]);
  const all = (await readdir(join(PUBLIC, "console"))).filter((name) => name.endsWith(".mjs")).map((name) => join("console", name));
  const later = all.filter((name) => !first.has(name));
  const [now, then] = [await bytes([...first]), await bytes(later)];
  const style = await bytes(["console.css"]);
  console.log(`first view: ${first.size} scripts, ${now} bytes gzip (at most ${MOST_FIRST}), style ${style} bytes; ${later.length} scripts of pages: ${then} bytes (at most ${MOST_PAGES})`);
  assert.ok(now <= MOST_FIRST, `${now} bytes`);
  assert.ok(then <= MOST_PAGES, `${then} bytes`);
});

test("what the browser fetches for the first view is what was counted", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  await page.waitForLoadState("networkidle");
  const fetched = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname).filter((name) => /\.m?js$/.test(name)));
  const counted = [...(await closure(["theme.js", "console.js"]))].map((name) => `/${name}`);
  assert.deepEqual(fetched.toSorted(), counted.toSorted());
  const paint = await page.evaluate(() => Object.fromEntries(performance.getEntriesByType("paint").map(({ name, startTime }) => [name, Math.round(startTime)])));
  console.log(`first paint: ${paint["first-paint"]} ms, first contentful paint: ${paint["first-contentful-paint"]} ms (${isMock ? "mock" : "real system"})`);
  await guard();
});

test("the time from the key press to the first words is the stream's own", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  const shown = [];
  const direct = [];
  for (let time = 0; time < TIMES; time += 1) {
    direct.push(await firstDelta(`${QUESTION} ${time}`));
    shown.push(await firstWords(page, `${QUESTION} ${time}`));
  }
  const [ours, theirs] = [median(shown), median(direct)];
  console.log(`key press to first words: ${ours.toFixed(1)} ms in the console, ${theirs.toFixed(1)} ms by plain fetch, ${(ours - theirs).toFixed(1)} ms apart (medians of ${TIMES}, ${isMock ? "mock" : "real system"})`);
  assert.equal(shown.length, TIMES);
  await guard();
});

/** In the page itself, so that the debugger's own way is not counted: from the key's event to the frame that has words. */
async function firstWords(page, question) {
  await page.fill("#question", question);
  await page.evaluate(() => {
    const before = document.querySelectorAll(".answer").length;
    globalThis.measured = new Promise((resolve) => document.querySelector("#question").addEventListener("keydown", () => {
      const from = performance.now();
      const look = () => (document.querySelectorAll(".answer")[before]?.querySelector(".prose")?.textContent ? resolve(performance.now() - from) : requestAnimationFrame(look));
      look();
    }, { once: true }));
  });
  await page.press("#question", "Enter");
  const took = await page.evaluate(() => globalThis.measured);
  await page.locator(".answer").last().locator(".answer-facts").waitFor({ timeout: 60_000 });
  return took;
}

async function firstDelta(question) {
  const from = performance.now();
  const body = JSON.stringify({ id: `budget_${Math.random()}`, message: { role: "user", parts: [{ type: "text", text: question }] } });
  const response = await fetch(`${docent.url}/api/chat`, { method: "POST", headers: { authorization: `Bearer ${docent.token}`, "content-type": "application/json" }, body });
  let text = "";
  let took = null;
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (took === null && text.includes('"text-delta"')) took = performance.now() - from;
  }
  assert.ok(took !== null, text);
  return took;
}

/** A script and all that it imports at once; what it imports later, by `import()`, is not among them. */
async function closure(entries) {
  const found = new Set();
  const queue = [...entries];
  while (queue.length) {
    const name = queue.pop();
    if (found.has(name)) continue;
    found.add(name);
    const text = await readFile(join(PUBLIC, name), "utf8");
    for (const [, path] of text.matchAll(/^import [^"]*"(\.[^"]+)";$/gm)) queue.push(normalize(join(dirname(name), path)));
  }
  return found;
}

async function bytes(names) {
  const sizes = await Promise.all(names.map(async (name) => gzipSync(await readFile(join(PUBLIC, name)), { level: 9 }).length));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function median(numbers) {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];
}
