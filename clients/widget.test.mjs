// The embedded widget in headless Chromium, on a site of another origin, under the policy that the documentation asks for.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before } from "node:test";
import { gzipSync } from "node:zlib";
import { assertAccessible, launch, SCREENS } from "./browser.mjs";
import { start } from "./mock.mjs";
import { answer } from "./mock-widget.mjs";
import { BUNDLE, bundle } from "./widget-bundle.mjs";
import { ask, openWidget, site, test, visit } from "./widget-page.mjs";

const MOST_GZIP = 30 * 1024;
const QUESTION = "Who signs the keeper's log?";
const LANGUAGES = ["ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"];
let docent;
let browser;
let home;

before(async () => {
  docent = await start({ pace: 20 });
  browser = await launch();
  home = await site(docent);
  docent.widget.answer = demo;
});
after(async () => {
  await browser?.close();
  home?.stop();
  docent?.stop();
});

const active = (tab) => tab.evaluate(() => {
  const { activeElement } = document.querySelector("docent-chat").shadowRoot;
  return activeElement && (activeElement.getAttribute("aria-label") ?? activeElement.textContent);
});

test("the bundle is what the sources give, and small", async () => {
  const committed = await readFile(BUNDLE, "utf8");
  assert.ok(committed === await bundle(), "public/widget.js is not what widget/ gives: run `npm --prefix clients run widget`");
  const size = gzipSync(committed, { level: 9 }).length;
  console.log(`public/widget.js: ${Buffer.byteLength(committed)} bytes, ${size} bytes gzip (at most ${MOST_GZIP})`);
  assert.ok(size <= MOST_GZIP);
});

test("no source makes markup from strings, and none is long", async () => {
  const root = new URL("../widget/", import.meta.url);
  for (const name of (await readdir(root)).filter((file) => /\.(mjs|css)$/.test(file))) {
    const text = await readFile(new URL(name, root), "utf8");
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|createContextualFragment|setAttribute\("style|DOMParser/, name);
    assert.ok(text.split("\n").length < 500, name);
  }
});

test("twelve languages have the same texts, with the same places to fill in", async () => {
  const read = async (tag) => JSON.parse(await readFile(new URL(`../widget/texts/${tag}.json`, import.meta.url), "utf8"));
  const english = await read("en");
  const places = (text) => (text.match(/\{\w+\}/g) ?? []).sort().join();
  for (const tag of LANGUAGES) {
    const texts = await read(tag);
    assert.deepEqual(Object.keys(texts), Object.keys(english), tag);
    for (const [key, text] of Object.entries(texts)) assert.ok(text.trim() && places(text) === places(english[key]), `${tag}: ${key}`);
  }
});

for (const [name, screen] of Object.entries(SCREENS)) {
  test(`${name}: closed, open, answered, a quote and a failure, each without a violation of accessibility`, async () => {
    const { tab, guard } = await visit(browser, docent, home, { screen, html: "<h1>Museum</h1>" });
    await tab.locator(".launcher").waitFor();
    await assertAccessible(tab, `${name}, closed`);
    await openWidget(tab);
    await tab.getByText("What would you like to know about the lighthouse?").waitFor();
    await assertAccessible(tab, `${name}, open`);
    const shown = await ask(tab, QUESTION);
    await shown.locator(".tools").waitFor();
    assert.deepEqual(await shown.locator(".prose strong, .prose em, .prose li").allInnerTexts(), ["senior keeper", "the hour, in ship's time", "the weather in three words 2", "three words"]);
    await assertAccessible(tab, `${name}, an answer`);
    await shown.locator(".cite").first().click();
    assert.equal(await tab.locator(".sheet mark").innerText(), "The senior keeper signs the log each morning, before the lamp is trimmed.");
    assert.match(await tab.locator(".sheet").innerText(), /Keeper's handbook\.pdf\s+page 12/);
    await assertAccessible(tab, `${name}, a quote`);
    await tab.getByRole("button", { name: "Next source" }).click();
    assert.equal(await tab.locator(".sheet mark").innerText(), "the weather in three words");
    await tab.getByRole("button", { name: "Back to the answer" }).click();
    assert.match(await active(tab), /^Source 1: Keeper's handbook\.pdf, page 12$/, "the focus is back at the citation");
    const refusal = await ask(tab, "How tall is the tower?");
    await refusal.and(tab.locator(".refused")).waitFor();
    await refusal.locator(".tools").waitFor();
    docent.widget.answer = () => [{ refuse: [500, "internal"] }];
    await (await ask(tab, "And now?")).locator(".bad").waitFor();
    docent.widget.answer = demo;
    await assertAccessible(tab, `${name}, a failure`);
    assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
    await guard();
  });
}

test("the keyboard alone does it, and the focus is where one expects it", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  await tab.locator(".launcher").waitFor();
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Tab");
  assert.equal(await active(tab), "Ask a question");
  await tab.keyboard.press("Enter");
  assert.equal(await active(tab), "Your question…", "opening leads to the field");
  await tab.keyboard.type("A line,");
  await tab.keyboard.press("Shift+Enter");
  assert.equal(await tab.locator("textarea").inputValue(), "A line,\n");
  await tab.locator("textarea").fill(QUESTION);
  await tab.keyboard.press("Enter");
  await tab.locator(".tools").waitFor();
  assert.match(await tab.locator(".status").innerText(), /^Answer: The senior keeper signs/, "a screen reader hears the answer, once");
  await tab.locator(".cite").first().focus();
  await tab.keyboard.press("Enter");
  assert.equal(await active(tab), "Keeper's handbook.pdf", "the focus follows to the quote");
  assert.ok(await tab.locator(".below").evaluate((below) => below.inert), "what lies below takes no focus");
  await tab.keyboard.press("Escape");
  assert.match(await active(tab), /^Source 1/);
  await tab.keyboard.press("Escape");
  await tab.locator(".panel").waitFor({ state: "hidden" });
  assert.equal(await active(tab), "Ask a question", "closing leads back to the button");
  await guard();
});

test("on a phone the window is modal: the focus stays in it, and the page lies behind", async () => {
  const { tab, guard } = await visit(browser, docent, home, { screen: SCREENS.phone });
  await openWidget(tab);
  assert.equal(await tab.locator(".panel").getAttribute("aria-modal"), "true");
  assert.ok(await tab.locator(".launcher").isHidden());
  const { width, height } = await tab.locator(".panel").boundingBox();
  assert.deepEqual([width, height], [390, 844]);
  for (let press = 0; press < 12; press += 1) {
    await tab.keyboard.press("Tab");
    assert.ok(await active(tab), `after ${press + 1} tabs the focus is in the window`);
  }
  await tab.getByRole("button", { name: "Close" }).click();
  assert.ok(await tab.locator(".launcher").isVisible());
  await guard();
});

test("the owner's colours, texts and corner, and defaults where there are none", async () => {
  const { settings } = docent.widget;
  docent.widget.settings = { ...settings, greeting: "", suggestions: ["One?"], widget: { ...settings.widget, color: "#ffd400", position: "top-left", title: "Ask Ada", launcher: "Questions?", placeholder: "Go on…", theme: "dark" } };
  const first = await visit(browser, docent, home);
  await openWidget(first.tab);
  assert.equal(await first.tab.locator(".launcher").innerText(), "Questions?");
  assert.equal(await first.tab.locator(".bar h2").innerText(), "Ask Ada");
  assert.equal(await first.tab.locator("textarea").getAttribute("placeholder"), "Go on…");
  const looks = await first.tab.locator(".launcher").evaluate((button) => [getComputedStyle(button).color, getComputedStyle(button).left, getComputedStyle(button).top]);
  assert.deepEqual(looks, ["rgb(0, 0, 0)", "20px", "20px"], "black is what can be read on yellow");
  await assertAccessible(first.tab, "yellow on dark");
  await first.guard();
  docent.widget.settings = { ...settings, suggestions: "x", greeting: 7, widget: { color: "red;background:url(//evil.example)", position: "middle", theme: null } };
  const wrong = await visit(browser, docent, home);
  await openWidget(wrong.tab);
  await wrong.tab.getByText("What would you like to know?").waitFor();
  await wrong.guard();
  docent.widget.settings = null;
  const none = await visit(browser, docent, home, { attributes: { color: "#b91c1c" } });
  await openWidget(none.tab);
  assert.equal(await none.tab.locator(".bar h2").innerText(), "Assistant");
  await assertAccessible(none.tab, "red on light");
  await (await ask(none.tab, QUESTION)).locator(".tools").waitFor();
  docent.widget.settings = settings;
  await none.guard();
});

test("twelve languages on the page, one of them from right to left", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  for (const tag of LANGUAGES) {
    home.state.lang = tag;
    await tab.reload();
    if (tag === LANGUAGES[0]) await openWidget(tab);
    const texts = JSON.parse(await readFile(new URL(`../widget/texts/${tag}.json`, import.meta.url), "utf8"));
    await tab.getByPlaceholder(texts.placeholder, { exact: true }).waitFor();
    assert.equal(await tab.locator(".frame").getAttribute("dir"), tag === "ar" ? "rtl" : "ltr");
    if (tag !== "ar") continue;
    const [mark, close] = await Promise.all([".mark", ".bar .icon >> nth=-1"].map((part) => tab.locator(part).boundingBox()));
    assert.ok(mark.x > close.x, "the bar runs from right to left");
    await assertAccessible(tab, "Arabic");
  }
  await guard();
});

test("a suggestion asks, a rating is stored and taken back when that fails, an answer is copied", async () => {
  const { tab, context, guard } = await visit(browser, docent, home);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await openWidget(tab);
  await tab.getByRole("button", { name: "When is the lamp room open?" }).click();
  await tab.locator(".tools").waitFor();
  const yes = tab.getByRole("button", { name: "This helped" });
  await yes.click();
  await tab.getByText("Thank you for telling us.").waitFor();
  assert.equal(await yes.getAttribute("aria-pressed"), "true");
  await yes.click();
  await tab.waitForFunction(() => document.querySelector("docent-chat").shadowRoot.querySelector("[aria-pressed=true]") === null);
  await yes.click();
  await tab.getByText("Thank you for telling us.").waitFor();
  assert.deepEqual(docent.widget.ratings.map(({ rating }) => rating), ["up", null, "up"]);
  const [{ conversation, rating }] = docent.widget.ratings;
  assert.deepEqual([rating, conversation], ["up", docent.widget.asked.at(-1).id]);
  await tab.route("**/feedback", (route) => route.abort());
  await tab.getByRole("button", { name: "This did not help" }).click();
  await tab.getByText("Your rating could not be saved.").waitFor();
  assert.equal(await yes.getAttribute("aria-pressed"), "true");
  await tab.getByRole("button", { name: "Copy the answer" }).click();
  await tab.getByText("Copied.").waitFor();
  assert.match(await tab.evaluate(() => navigator.clipboard.readText()), /^The \*\*senior keeper\*\* .* trimmed\. Two/s);
  await guard();
});

const demo = (question) => (/tall/.test(question)
  ? answer("I could not find that in the documents.", [], { end: [{ type: "data-refusal", data: { code: "no_support" } }, { type: "finish", finishReason: "stop" }] })
  : answer("The **senior keeper** signs the log each morning, before the lamp is trimmed [1]. Two things go with it:\n\n- the hour, in ship's time\n- the weather in *three words* [2]", [
    { title: "Keeper's handbook.pdf", page: 12, quote: "Of the log. The senior keeper signs the log each morning, before the lamp is trimmed. No other hand may sign.", cited: "The senior keeper signs the log each morning, before the lamp is trimmed." },
    { title: "Standing orders, 1871.pdf", page: 3, quote: "The weather in words: the weather in three words, no more.", cited: "the weather in three words" },
  ]));
