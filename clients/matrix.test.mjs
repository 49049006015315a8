// The matrix: every public client, unmodified, through every case. A failed answer must never be shown as success.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as ai5 from "ai5";
import * as ai6 from "ai6";
import * as ai7 from "ai7";
import { launch } from "./browser.mjs";
import { CASES } from "./matrix/chat.mjs";
import * as compatible from "./matrix/compatible.mjs";
import * as json from "./matrix/json.mjs";
import { nodeClient } from "./matrix/node.mjs";
import * as openai from "./matrix/openai.mjs";
import * as python from "./matrix/python.mjs";
import { pages, reactClient } from "./matrix/react.mjs";
import { world } from "./matrix/world.mjs";
import { isMock } from "./target.mjs";

/** Fewer than these is no matrix; asserted against the real system. */
const LEAST_CASES = 100;
const AT_ONCE = 4;

const here = isMock ? "mock" : "real";
const tally = new Map();
let docent, browser, pool;

before(async () => {
  [docent, browser] = await Promise.all([world(), launch()]);
  // A case uses two of them at most.
  pool = await pages(browser, docent, 2 * AT_ONCE);
});
after(async () => {
  await browser?.close();
  pool?.close();
  await docent?.close();
});

const CHATS = {
  "ai 5": () => nodeClient("ai 5", ai5, docent),
  "ai 6": () => nodeClient("ai 6", ai6, docent),
  "ai 7": () => nodeClient("ai 7", ai7, docent),
  "@ai-sdk/react 2 (5)": () => reactClient("react 5", 5, pool, docent),
  "@ai-sdk/react 3 (6)": () => reactClient("react 6", 6, pool, docent),
  "@ai-sdk/react 4 (7)": () => reactClient("react 7", 7, pool, docent),
};

for (const [name, make] of Object.entries(CHATS)) {
  describe(name, { concurrency: AT_ONCE }, () => {
    let client;
    before(async () => (client = await make()));
    after(() => docent.sweep());
    const had = CASES.filter(({ on, browser }) => on.includes(here) && (!browser || name.includes("react")));
    for (const { name: title, run } of had) counted(name, title, () => run(client, docent));
  });
}

for (const { CLIENT, CASES, tools } of isMock ? [] : [openai, compatible, json]) {
  describe(CLIENT, { concurrency: AT_ONCE }, () => {
    after(() => docent.sweep());
    for (const { name, run } of CASES) counted(CLIENT, name, () => run(tools(docent)));
  });
}

const { DOCENT_PYTHON } = process.env;
const skip = isMock ? "the mock does not speak /v1" : DOCENT_PYTHON ? false : "needs DOCENT_PYTHON: an interpreter with the package openai";
test(python.CLIENT, { skip }, async (context) => {
  const cases = await python.run(DOCENT_PYTHON, docent);
  for (const { name, problem } of cases) await context.test(name, () => count(python.CLIENT, () => assert.equal(problem, null)));
  await docent.sweep();
});

test("all of them passed, and they are enough", () => {
  const rows = [...tally].map(([client, { cases, passed }]) => ({ client, cases, passed }));
  const sum = (what) => rows.reduce((sum, row) => sum + row[what], 0);
  const [cases, passed] = [sum("cases"), sum("passed")];
  console.table([...rows, { client: "together", cases, passed }]);
  assert.equal(passed, cases);
  if (!isMock) assert.ok(cases >= LEAST_CASES);
});

function counted(client, title, run) {
  test(title, () => count(client, run));
}

async function count(client, run) {
  const row = tally.get(client) ?? { cases: 0, passed: 0 };
  tally.set(client, row);
  row.cases += 1;
  await run();
  row.passed += 1;
}
