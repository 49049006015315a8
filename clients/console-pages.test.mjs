// The console's pages for those who keep a library: each is opened, read, used and left, on a desktop, in the dark and on a phone.
// The same steps run against the mock and, with DOCENT_URL, against the real system.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addDocument, api } from "./client.mjs";
import { assertAccessible, ask, launch, openConsole, SCREENS } from "./browser.mjs";
import { DOCUMENTS, EXPECTED } from "./fixtures.mjs";
import { isMock, target } from "./target.mjs";

const ROOMS = { bots: "Bots", search: "Search", conversations: "Conversations", usage: "Usage", keys: "Provider keys", tokens: "Tokens", evaluation: "Evaluation" };
const RUN = [
  { set: "squad_dev", configuration: "lexical", questions: 100, ndcg10: 0.81, recall10: 0.93, mrr: 0.78, citationPrecision: 0.7, refusalAccuracy: null, p50Ms: 2.1, p95Ms: 4.4 },
  { set: "squad_dev", configuration: "hybrid hash", questions: 100, ndcg10: 0.86, recall10: 0.97, mrr: 0.83, citationPrecision: 0.74, refusalAccuracy: 0.9, p50Ms: 5.6, p95Ms: 11.2 },
];
let docent;
let browser;
let call;
let document;

before(async () => {
  docent = await target({ pace: 20 });
  call = api(docent);
  browser = await launch();
  document = await addDocument(docent, DOCUMENTS[0]);
});
after(async () => {
  await browser?.close();
  if (document) await call("DELETE", `/api/documents/${document.id}`);
  docent?.stop();
});

async function at(hash, options) {
  const { page, guard } = await openConsole(browser, docent, options);
  await page.locator("#desk").waitFor();
  await page.evaluate((to) => (location.hash = to), hash);
  await page.locator(".page:visible").waitFor();
  return { page, guard, confirm: () => page.click("#ask-first .danger") };
}

/** What is loaded has come. */
async function still(page) {
  await page.waitForFunction(() => !document.querySelector(".page:not([hidden]) [aria-busy]"));
}

for (const [name, screen] of Object.entries(SCREENS)) {
  test(`every page is reached from the bar, is accessible and no wider than the screen (${name})`, async () => {
    const { page, guard } = await openConsole(browser, docent, { screen });
    await page.locator("#desk").waitFor();
    for (const [room, title] of Object.entries(ROOMS)) {
      if (screen === SCREENS.phone) await page.click("#rooms-toggle");
      await page.click(`#rooms a[href="#/${room}"]`);
      const head = page.locator(".page:visible h2", { hasText: title }).first();
      await head.waitFor();
      await still(page);
      assert.ok(await head.evaluate((node) => document.activeElement === node), `${room}: the focus is at the page's head`);
      assert.equal(await page.locator("#rooms a[aria-current=page]").getAttribute("href"), `#/${room}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector("#pages").scrollWidth <= document.querySelector("#pages").clientWidth), `${room} is wider than the screen`);
      await assertAccessible(page, `${room} (${name})`);
    }
    if (screen === SCREENS.phone) await page.click("#rooms-toggle");
    await page.click('#rooms a[href="#/"]');
    await page.locator("#question").waitFor();
    await guard();
  });
}

test("a page's address is opened by a reload, and the way back leads to the question", async () => {
  const { page, guard } = await at("#/usage");
  await page.reload();
  await page.locator(".page:visible h2", { hasText: "Usage" }).waitFor();
  await page.goBack();
  await page.locator("#question").waitFor();
  await page.evaluate(() => (location.hash = "#/%E0%A4%A"));
  await page.locator("#question").waitFor();
  await guard();
});

test("a provider key is refused beside its field, saved, checked, replaced and deleted, and never shown", async () => {
  const { page, guard, confirm } = await at("#/keys");
  const baseUrl = process.env.DOCENT_PROVIDER ?? "https://gateway.example/v1";
  const name = `desk-${Date.now() % 100_000}`;
  const form = page.getByRole("form", { name: "Add a key" });
  await form.getByLabel("Provider").fill(name);
  await form.getByLabel("Key", { exact: true }).fill("sk-with a space");
  await form.getByLabel("Base URL").fill(baseUrl);
  await form.getByRole("button", { name: "Save and check" }).click();
  await form.locator('[data-field="key"] .problem', { hasText: "`key` holds white space" }).waitFor();
  assert.equal(await form.getByLabel("Key", { exact: true }).inputValue(), "sk-with a space", "what was typed is kept");
  await assertAccessible(page, "a refused key");
  await form.getByLabel("Key", { exact: true }).fill("sk-desk-0123456789abcdef");
  await form.getByRole("button", { name: "Save and check" }).click();
  const card = page.getByRole("article", { name });
  await card.getByText("cdef").waitFor();
  assert.match(await card.innerText(), /Works/);
  assert.ok(!(await page.content()).includes("sk-desk-0123456789abcdef"), "the key stays nowhere on the page");
  await card.getByRole("button", { name: "Check now" }).click();
  await still(page);
  await page.getByRole("article", { name }).getByRole("button", { name: "Replace" }).click();
  assert.equal(await form.getByLabel("Provider").inputValue(), name);
  await form.getByLabel("Key", { exact: true }).fill("sk-desk-0123456789wxyz");
  await form.getByRole("button", { name: "Save and check" }).click();
  await page.getByRole("article", { name }).getByText("wxyz").waitFor();
  await assertAccessible(page, "saved keys");
  await page.getByRole("article", { name }).getByRole("button", { name: "Delete" }).click();
  await confirm();
  await page.getByRole("article", { name }).waitFor({ state: "detached" });
  await guard();
});

test("a token is shown once, with its scopes, and revoked", async () => {
  const { page, guard, confirm } = await at("#/tokens");
  const name = `reader ${Date.now() % 100_000}`;
  const form = page.getByRole("form", { name: "Make a token" });
  await form.getByLabel("Name", { exact: true }).fill(name);
  await form.getByRole("button", { name: "Make the token" }).click();
  await form.getByText("`scopes` holds one or more").waitFor();
  await form.getByLabel(/^read:/).check();
  await form.getByLabel("Ends on").fill("2099-12-31");
  await form.getByRole("button", { name: "Make the token" }).click();
  const shown = form.locator(".shown-once code");
  await shown.waitFor();
  const token = await shown.innerText();
  assert.match(token, /^docent_sk_\w+$/);
  await assertAccessible(page, "a token that is shown once");
  const card = page.getByRole("article", { name });
  await card.waitFor();
  assert.match(await card.innerText(), /read[^]*2099|read[^]*2100/);
  if (!isMock) await api({ url: docent.url, token })("GET", "/api/documents");
  await page.reload();
  await page.getByRole("article", { name }).waitFor();
  assert.ok(!(await page.content()).includes(token), "it is not shown again");
  await page.getByRole("article", { name }).getByRole("button", { name: "Revoke" }).click();
  await confirm();
  await page.getByRole("article", { name }).waitFor({ state: "detached" });
  if (!isMock) await assert.rejects(api({ url: docent.url, token })("GET", "/api/documents"), /401/);
  await guard();
});

test("a publishable token takes origins alone, and a wrong one is told beside them", async () => {
  const { page, guard, confirm } = await at("#/tokens");
  const name = `shop ${Date.now() % 100_000}`;
  const form = page.getByRole("form", { name: "Make a token" });
  await form.getByLabel("Kind").selectOption("publishable");
  await form.getByLabel("Name", { exact: true }).fill(name);
  await form.getByLabel("Allowed origins").fill("https://shop.example/basket");
  await form.getByRole("button", { name: "Make the token" }).click();
  await form.locator('[data-field="origins"] .problem:not(:empty)').waitFor();
  await form.getByLabel("Allowed origins").fill("https://shop.example\nhttps://www.shop.example");
  await form.getByRole("button", { name: "Make the token" }).click();
  await form.locator(".shown-once code").first().waitFor();
  assert.match(await form.locator(".shown-once").innerText(), /docent_pk_\w+[^]*visitor secret/i);
  const card = page.getByRole("article", { name });
  assert.match(await card.innerText(), /https:\/\/shop\.example\nhttps:\/\/www\.shop\.example/);
  await card.getByRole("button", { name: "Revoke" }).click();
  await confirm();
  await card.waitFor({ state: "detached" });
  await guard();
});

test("usage is a picture and a table, and the caps are changed with a refusal beside the amount", async () => {
  const { page, guard } = await at("#/usage");
  const form = page.getByRole("form", { name: "Caps" });
  const { caps: before } = await call("GET", "/api/usage/caps");
  await form.getByLabel("Each visitor").fill("five");
  await form.getByRole("button", { name: "Save the caps" }).click();
  await form.locator('[data-field="visitor"] .problem', { hasText: "Write an amount" }).waitFor();
  await form.getByLabel("Each visitor").fill("2000000");
  await form.getByRole("button", { name: "Save the caps" }).click();
  await form.locator(".notice.bad", { hasText: "A cap is an amount of dollars a day" }).waitFor();
  await form.getByLabel("Each visitor").fill("0.05");
  await form.getByRole("button", { name: "Save the caps" }).click();
  await form.getByText("Saved").waitFor();
  assert.equal(Number((await call("GET", "/api/usage/caps")).caps.visitor), 0.05);
  const [token] = (await call("GET", "/api/tokens")).tokens;
  await form.getByLabel("One token by itself").selectOption(token.id);
  await form.getByLabel(token.name, { exact: true }).fill("1.50");
  await form.getByRole("button", { name: "Save the caps" }).click();
  await form.getByText("Saved").waitFor();
  assert.equal(Number((await call("GET", "/api/usage/caps")).caps[`token:${token.id}`]), 1.5);
  await call("PUT", "/api/usage/caps", { caps: before });
  if (isMock) {
    assert.match(await page.locator("svg.chart").getAttribute("aria-label"), /^Cost by day\. 30 days, \$\d/);
    await page.getByLabel("Show").selectOption("requests");
    await page.getByText("As a table").click();
    await page.getByRole("table").waitFor();
    await assertAccessible(page, "usage as a table");
  }
  await guard();
});

test("a search explains the place of every passage", async () => {
  const { page, guard } = await at("#/search");
  await page.getByLabel("What to look for").fill("lantern room inspected");
  await page.getByText("Filter by metadata").click();
  await page.getByLabel("Condition on metadata").fill("{team");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.getByText("This is no JSON.").waitFor();
  await page.getByLabel("Condition on metadata").fill("");
  await page.keyboard.press("Tab");
  await page.getByLabel("What to look for").press("Enter");
  const first = page.locator(".hits > li").first();
  await first.waitFor();
  const told = await first.innerText();
  assert.ok(told.replace(/\s+/g, " ").includes(EXPECTED.words), told);
  assert.match(told, /page 2/);
  assert.match(told, /Words \(BM25\) rank 1/);
  assert.match(await page.getByText(/How it was found, in/).innerText(), /ms$/);
  await assertAccessible(page, "a search");
  await page.getByLabel("What to look for").fill("zzzz qqqq");
  await page.getByLabel("What to look for").press("Enter");
  await Promise.race([page.getByText("Nothing was found").waitFor(), page.waitForFunction(() => document.querySelectorAll(".hits > li .leg:first-child.none").length > 0)]);
  await guard();
});

test("two runs of docent eval are compared, and another file is told from one", async () => {
  const { page, guard } = await at("#/evaluation");
  const file = (name, text) => ({ name, mimeType: "application/json", buffer: Buffer.from(text) });
  const lines = (run) => run.map((line) => JSON.stringify(line)).join("\n");
  await page.setInputFiles(".page input[type=file]", [file("notes.txt", "nothing of that kind")]);
  await page.getByText("notes.txt holds no results of docent eval.").waitFor();
  await page.setInputFiles(".page input[type=file]", [file("before.jsonl", lines(RUN)), file("after.jsonl", `| a table |\n${lines(RUN.map((line) => ({ ...line, ndcg10: line.ndcg10 + 0.02, p50Ms: line.p50Ms - 1 })))}`)]);
  await page.getByRole("heading", { name: "after.jsonl against before.jsonl" }).waitFor();
  assert.match(await page.getByRole("region", { name: "Differences" }).innerText(), /lexical\s+0\s+\+0\.020/);
  assert.equal(await page.locator("svg.chart").count(), 2);
  assert.match(await page.locator("svg.chart").first().getAttribute("aria-label"), /Quality on squad_dev\. recall@10: lexical \(before\.jsonl\) 0\.93/);
  assert.match(await page.getByRole("region", { name: "All numbers" }).innerText(), /lexical\s+before\.jsonl\s+100\s+0\.930\s+0\.810\s+0\.780\s+0\.700\s+–/, "what was not measured is not a nought");
  await assertAccessible(page, "an evaluation");
  await page.setViewportSize(SCREENS.phone.viewport);
  assert.ok(await page.evaluate(() => document.querySelector("#pages").scrollWidth <= innerWidth), "a table scrolls by itself");
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("Measure first, then open the file").waitFor();
  await guard();
});

test("a conversation is found, read with its quotes, saved and deleted", async () => {
  const { page, guard, confirm } = await at("#/conversations");
  if (!isMock) {
    await page.evaluate(() => (location.hash = "#/"));
    const answer = await ask(page, "Who signs the log?");
    await answer.locator(".answer-facts").waitFor({ timeout: 60_000 });
    await page.evaluate(() => (location.hash = "#/conversations"));
  }
  await page.getByLabel("Find words").fill("signs");
  await page.getByRole("button", { name: "Find" }).click();
  const found = page.locator(".item.link", { has: page.locator("mark", { hasText: /signs/i }) }).first();
  await found.waitFor();
  await found.click();
  const reader = page.getByRole("region", { name: "Conversation", exact: true });
  await reader.locator(".question", { hasText: "Who signs the log?" }).waitFor();
  await reader.getByText(/^Quotes/).click();
  assert.match(await reader.innerText(), /keepers-handbook\.pdf, page 2/);
  await assertAccessible(page, "a conversation");
  const [saved] = await Promise.all([page.waitForEvent("download"), reader.getByRole("button", { name: "Save as Markdown" }).click()]);
  assert.equal(saved.suggestedFilename(), "conversation.md");
  await reader.getByRole("button", { name: "Delete" }).click();
  await confirm();
  await page.waitForFunction(() => location.hash === "#/conversations");
  await guard();
});

test("a document's page tells its state and versions, and brings an older one back", async () => {
  const file = { ...DOCUMENTS[1], name: `versions-${Date.now() % 100_000}.md` };
  const { id } = await addDocument(docent, file);
  const { page, guard, confirm } = await at(`#/documents/${id}`);
  await page.locator(".page .badge", { hasText: "Ready" }).waitFor();
  await page.setInputFiles('.page input[type="file"]', { ...file, name: "another name.md", buffer: Buffer.concat([file.buffer, Buffer.from("\nDogs wait at the gate.\n")]) });
  await page.locator("tr", { has: page.getByRole("rowheader", { name: "2" }) }).getByText("Readers see it").waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Restore version 1" }).click();
  await page.locator("tr", { hasText: "the bytes of version 1" }).getByText("Readers see it").waitFor({ timeout: 60_000 });
  await assertAccessible(page, "a document");
  await page.getByLabel("Title", { exact: true }).fill("What <b>visitors</b> may do");
  await page.getByRole("button", { name: "Save the title" }).click();
  await page.waitForFunction(() => document.querySelector("#status").textContent === "The title is saved.");
  assert.equal((await call("GET", `/api/documents/${id}`)).title, "What <b>visitors</b> may do");
  await page.getByRole("button", { name: "Delete" }).click();
  await confirm();
  await page.locator("#question").waitFor();
  await assert.rejects(call("GET", `/api/documents/${id}`), /404/);
  await guard();
});
