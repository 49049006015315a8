// A bot is made, looked at in the widget itself while its settings are typed, refused, saved, put on a page, asked and deleted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api } from "./client.mjs";
import { assertAccessible, launch, openConsole, SCREENS } from "./browser.mjs";
import { isMock, target } from "./target.mjs";

let docent;
let browser;
let call;
let bot;

before(async () => {
  docent = await target({ pace: 20 });
  call = api(docent);
  browser = await launch();
  bot = await call("POST", "/api/bots", { name: "Front desk" });
});
after(async () => {
  await browser?.close();
  if (bot) await call("DELETE", `/api/bots/${bot.id}`).catch(() => {});
  docent?.stop();
});

async function at(hash, options) {
  const { page, guard } = await openConsole(browser, docent, options);
  await page.locator("#desk").waitFor();
  await page.evaluate((to) => (location.hash = to), hash);
  return { page, guard };
}

const box = (page, name) => page.locator(`[data-field="${name}"]`);
const save = (page) => page.getByRole("button", { name: "Save", exact: true });

test("a bot is made and deleted", async () => {
  const { page, guard } = await at("#/bots");
  await page.getByRole("button", { name: "Make the bot" }).click();
  await box(page, "name").locator(".problem", { hasText: "`name` holds 1 to 200 characters." }).waitFor();
  await page.getByLabel("Name of the new bot").fill("Short-lived <b>bot</b>");
  await page.getByRole("button", { name: "Make the bot" }).click();
  await page.locator(".page-head h2", { hasText: "Short-lived <b>bot</b>" }).waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.click("#ask-first .danger");
  await page.locator("h2", { hasText: "Bots" }).waitFor();
  await page.locator(".item.link").first().waitFor();
  assert.equal(await page.locator(".item", { hasText: "Short-lived" }).count(), 0);
  await guard();
});

for (const [name, screen] of Object.entries(SCREENS)) {
  test(`the widget shows settings as they are typed, before they are saved (${name})`, async () => {
    const { page, guard } = await at(`#/bots/${bot.id}`, { screen });
    const stage = page.locator(".stage docent-chat");
    await stage.locator(".panel").waitFor();
    await box(page, "greeting").locator("textarea").fill("Welcome to the lighthouse!");
    await stage.locator(".greeting", { hasText: "Welcome to the lighthouse!" }).waitFor();
    await box(page, "suggestions").locator("textarea").fill("Who signs the log?\n\nWhen is it open?");
    await stage.locator(".suggestions button").nth(1).waitFor();
    await box(page, "widget.title").locator("input").fill("Ask the keeper");
    await stage.locator("#title", { hasText: "Ask the keeper" }).waitFor();
    await box(page, "widget.color").locator("input[type=text]").fill("#b3261e");
    await page.waitForFunction(() => /--fill: rgb|--fill: #b3261e/i.test([...document.querySelector("docent-chat").shadowRoot.adoptedStyleSheets].flatMap((sheet) => [...sheet.cssRules].map((rule) => rule.cssText)).join("")));
    assert.equal((await call("GET", `/api/bots/${bot.id}`)).greeting, "", "nothing is saved yet");
    await page.getByText("Not saved yet").waitFor();
    assert.ok(await page.evaluate(() => document.querySelector("#pages").scrollWidth <= innerWidth), "nothing is wider than the screen");
    const inside = await page.evaluate(() => {
      const [outer, inner] = [document.querySelector(".stage"), document.querySelector("docent-chat").shadowRoot.querySelector(".panel")].map((node) => node.getBoundingClientRect());
      return inner.top >= outer.top && inner.bottom <= outer.bottom && inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
    });
    assert.ok(inside, "the widget stays in its box");
    await assertAccessible(page, `a bot's settings (${name})`);
    if (screen === SCREENS.phone) {
      await page.getByRole("button", { name: "Preview" }).click();
      assert.ok(await stage.locator(".greeting").evaluate((node) => node.getBoundingClientRect().top < innerHeight), "the way to the preview is short");
    }
    await page.getByRole("button", { name: "Discard" }).click();
    assert.equal(await box(page, "widget.title").locator("input").inputValue(), "");
    await guard();
  });
}

test("the server's refusal stands beside the field that it names, and nothing typed is lost", async () => {
  const { page, guard } = await at(`#/bots/${bot.id}`);
  await box(page, "widget.color").locator("input[type=text]").fill("red");
  await box(page, "tone").locator("input").fill("warm and brief");
  await save(page).click();
  await box(page, "widget.color").locator(".problem", { hasText: "`widget.color` is a colour such as" }).waitFor();
  assert.ok(await box(page, "widget.color").locator("input[type=text]").evaluate((node) => node === document.activeElement && node.getAttribute("aria-invalid") === "true"));
  await assertAccessible(page, "a refused setting");
  await box(page, "widget.color").locator("input[type=text]").fill("#1a73e8");
  for (const [name, wrong, sentence, right] of [
    ["language", "German", "`language` is `auto` or a BCP 47 tag", "de"],
    ["historyLength", "99", "`historyLength` is a number of messages", "4"],
    ["historyLength", "many", "Write a number.", "4"],
    ["temperature", "3", "`temperature` is a number from 0 to 2", "0,2"],
  ]) {
    await box(page, name).locator("input").fill(wrong);
    await save(page).click();
    await box(page, name).locator(".problem", { hasText: sentence }).waitFor();
    assert.equal(await box(page, "tone").locator("input").inputValue(), "warm and brief");
    await box(page, name).locator("input").fill(right);
  }
  await save(page).click();
  await page.locator(".save-bar").getByText("Saved", { exact: true }).waitFor();
  const { tone, language, historyLength, temperature, widget } = await call("GET", `/api/bots/${bot.id}`);
  assert.deepEqual({ tone, language, historyLength, temperature, color: widget.color }, { tone: "warm and brief", language: "de", historyLength: 4, temperature: 0.2, color: "#1a73e8" });
  await guard();
});

test("a question asked in the preview is answered by the bot", async () => {
  const { page, guard } = await at(`#/bots/${bot.id}`);
  const stage = page.locator(".stage docent-chat");
  await stage.locator("textarea").fill("What does quantum chromodynamics predict?");
  await stage.locator("textarea").press("Enter");
  await stage.locator(".answer", { hasText: /I (found nothing|could not find)/ }).waitFor({ timeout: 60_000 });
  assert.equal(await stage.locator(".bad").count(), 0);
  await guard();
});

test("what was typed is there when one comes back from another page", async () => {
  const { page, guard } = await at(`#/bots/${bot.id}`);
  await box(page, "instructions").locator("textarea").fill("Answer as a lighthouse keeper would.");
  await page.click('#rooms a[href="#/usage"]');
  await page.locator("h2", { hasText: "Usage" }).waitFor();
  await page.goBack();
  assert.equal(await box(page, "instructions").locator("textarea").inputValue(), "Answer as a lighthouse keeper would.");
  await guard();
});

test("a key for a page gives the tag to paste", async () => {
  const { page, guard } = await at(`#/bots/${bot.id}/embed`);
  const form = page.getByRole("form", { name: "Make a token" });
  await form.getByLabel("Name", { exact: true }).fill("Museum site");
  await form.getByLabel("Allowed origins").fill("https://museum.example");
  await form.getByRole("button", { name: "Make the token" }).click();
  await page.locator("#tag", { hasText: "docent_pk_" }).waitFor();
  await page.waitForFunction(() => !document.querySelector("#tag").textContent.includes("…"));
  const tag = await page.locator("#tag").innerText();
  assert.match(tag, new RegExp(`^<script src="${docent.url}/widget\\.js" data-token="docent_pk_\\w+" async></script>$`));
  await page.getByRole("article", { name: "Museum site" }).getByText("https://museum.example").waitFor();
  await assertAccessible(page, "the tag");
  const { tokens } = await call("GET", "/api/tokens");
  for (const token of tokens.filter(({ bot: whose }) => whose === bot.id)) await call("DELETE", `/api/tokens/${token.id}`);
  await guard();
});

test("gaps and feedback say what they are for when there are none", async () => {
  const { page, guard } = await at(`#/bots/${bot.id}/feedback`);
  await page.getByText("No feedback yet").waitFor();
  await assertAccessible(page, "no feedback");
  await page.getByRole("link", { name: "Gaps" }).click();
  await page.getByText(/No gaps|question without an answer/).waitFor();
  await assertAccessible(page, "a bot's gaps");
  await guard();
});

test("what visitors wrote stays text", { skip: !isMock && "it needs the mock's visitors" }, async () => {
  const { page, guard } = await at("#/bots/00000000-0000-7000-8000-000000000001/feedback");
  await page.getByText("On Mondays it is closed. <img src=x onerror=alert(1)>").waitFor();
  assert.equal(await page.locator(".page img").count(), 0);
  await page.getByLabel("Show").selectOption("up");
  await page.getByText("Who signs the log?").waitFor();
  assert.equal(await page.getByText("On Mondays").count(), 0);
  await page.getByRole("link", { name: "Gaps" }).click();
  await page.getByText("11 questions without an answer, in 3 kinds.").waitFor();
  await assertAccessible(page, "gaps");
  await guard();
});
