// The documentation page, walked in a real browser: what openapi.json says is there to be read, filtered and linked to,
// on a desk and on a phone, with axe's agreement and under the page's own policy.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFile } from "node:fs/promises";
import { assertAccessible, launch, openConsole, SCREENS } from "./browser.mjs";
import { target } from "./target.mjs";

const api = JSON.parse(await readFile(new URL("../public/openapi.json", import.meta.url), "utf8"));
const operations = Object.values(api.paths).flatMap((methods) => Object.values(methods));
let docent;
let browser;

before(async () => {
  docent = await target();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  docent?.stop();
});

/** Opens what matches, and waits until its inside is drawn. */
async function unfold(page, closed) {
  await page.evaluate((closed) => document.querySelectorAll(closed).forEach((each) => (each.open = true)), closed);
  await page.waitForFunction(() => [...document.querySelectorAll("details[open]")].every((each) => each.childElementCount > 1));
}

test("every operation can be read on a phone, with all that it takes and answers", async () => {
  const { page, guard } = await openConsole(browser, docent, { screen: SCREENS.phone, path: "/api.html" });
  await page.locator(".operation").first().waitFor();
  assert.equal(await page.locator(".operation").count(), operations.length);
  await unfold(page, ".operation");
  await unfold(page, ".operation-body details");
  assert.equal(await page.locator(".operation-body pre").count(), operations.length, "an example for each");
  assert.equal(await page.evaluate(() => document.body.textContent.match(/undefined|\[object Object\]|NaN/)), null);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
  await guard();
});

for (const [name, screen] of Object.entries(SCREENS)) {
  test(`axe has no objections: ${name}`, async () => {
    const { page, guard } = await openConsole(browser, docent, { screen, path: "/api.html" });
    await page.locator("#create_bot > summary").click();
    await page.locator("#create_bot pre").waitFor();
    await unfold(page, "#create_bot details");
    await assertAccessible(page, name);
    await guard();
  });
}

test("a filter leaves what has all of its words", async () => {
  const { page, guard } = await openConsole(browser, docent, { path: "/api.html" });
  await page.fill("#filter", "delete BOTS");
  await page.locator("#delete_bot").waitFor();
  assert.deepEqual(await page.locator(".operation:visible").evaluateAll((found) => found.map(({ id }) => id)), ["delete_bot"]);
  assert.equal(await page.locator(".area:visible").count(), 1);
  await page.fill("#filter", "no such thing");
  assert.equal(await page.locator("#problem").innerText(), "No operation has all of these words.");
  await assertAccessible(page, "nothing found");
  await page.fill("#filter", "");
  assert.equal(await page.locator(".operation:visible").count(), operations.length);
  await guard();
});

test("an address names an operation, and its example holds what the operation needs", async () => {
  const { page, guard } = await openConsole(browser, docent, { path: "/api.html#create_answer" });
  const shown = page.locator("#create_answer");
  await shown.locator("pre").waitFor();
  assert.equal(await page.locator(".operation[open]").count(), 1);
  const example = await shown.locator("pre").innerText();
  for (const part of ["curl --no-buffer -X POST", `${docent.url}/api/chat`, "authorization: Bearer $DOCENT_TOKEN", "content-type: application/json"]) assert.ok(example.includes(part), part);
  assert.ok(await shown.evaluate((node) => node.getBoundingClientRect().top < innerHeight), "it is in view");
  await page.evaluate(() => (location.hash = "#create_bot"));
  await page.locator("#create_bot[open] pre").waitFor();
  await guard();
});

test("a description that cannot be loaded is said", async () => {
  const { page, guard } = await openConsole(browser, docent, { path: "/" });
  await page.route("**/openapi.json", (route) => route.fulfill({ status: 503, body: "" }));
  await page.goto(`${docent.url}/api.html`);
  await page.locator("#problem", { hasText: "the server answered 503" }).waitFor();
  await assertAccessible(page, "not loaded");
  await guard();
});
