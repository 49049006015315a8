// What the widget does when something fails: every failure is a sentence with a next step, and nothing typed is lost.
import assert from "node:assert/strict";
import { after, afterEach, before } from "node:test";
import { assertAccessible, launch } from "./browser.mjs";
import { start } from "./mock.mjs";
import { answer, widgetWorld } from "./mock-widget.mjs";
import { ask, openWidget, site, test, visit } from "./widget-page.mjs";

const QUESTION = "Who signs the log?";
const HALF = [{ type: "start", messageId: "m1" }, { type: "text-start", id: "t" }, { type: "text-delta", id: "t", delta: "Half of an" }];
let docent;
let browser;
let home;

before(async () => {
  docent = await start({ pace: 20 });
  browser = await launch();
  home = await site(docent);
});
after(async () => {
  await browser?.close();
  home?.stop();
  docent?.stop();
});
afterEach(() => Object.assign(docent.widget, widgetWorld()));

const field = (tab) => tab.locator("textarea");

for (const [name, chunks, sentence, kept] of [
  ["a stream that merely stops", [...HALF, "cut"], "The answer broke off before its end.", "Half of an"],
  ["a stream that stops before its first word", [HALF[0], "cut"], "The answer broke off before its end.", ""],
  ["a connection that breaks", [...HALF, { pause: 60 }, "reset"], "The answer broke off before its end.", "Half of an"],
  ["an error told in the stream", [...HALF, { type: "error", errorText: "provider_unavailable: The provider did not answer." }], "Something went wrong on our side.", "Half of an"],
  ["a server error", [{ refuse: [503, "database_unavailable"] }], "Something went wrong on our side.", ""],
  ["the day's cap", [{ refuse: [429, "spend_cap_reached"] }], "The chat has reached its limit for today.", ""],
]) {
  test(`${name} is shown as an error, and the question stays`, async () => {
    const { tab, guard } = await visit(browser, docent, home);
    docent.widget.answer = () => chunks;
    await openWidget(tab);
    const shown = await ask(tab, QUESTION);
    await shown.locator(".bad").getByText(sentence).waitFor();
    assert.equal(await shown.locator(".prose").innerText(), kept);
    assert.equal(await field(tab).inputValue(), kept ? "" : QUESTION);
    const again = tab.getByRole("button", { name: "Ask again" });
    if (name === "the day's cap") assert.equal(await again.count(), 0, "asking again today helps nobody");
    else {
      docent.widget.answer = () => answer("Whole.");
      await again.click();
      await shown.locator(".tools").waitFor();
      assert.equal(await tab.locator(".answer").count(), 1, "the new answer takes the failed one's place");
      assert.equal(await field(tab).inputValue(), "");
      const stored = !name.includes("server");
      assert.equal(docent.widget.asked.at(-1).trigger, stored ? "regenerate-message" : "submit-message");
    }
    await guard();
  });
}

test("429: the seconds count down, then one may ask again", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  docent.widget.answer = () => [{ refuse: [429, "rate_limited", { "retry-after": "2" }] }];
  await openWidget(tab);
  const shown = await ask(tab, QUESTION);
  await shown.getByText("You can ask again in 2 seconds.").waitFor();
  await shown.getByText("You can ask again in 1 second.").waitFor();
  const again = tab.getByRole("button", { name: "Ask again" });
  assert.ok(await again.isDisabled());
  assert.ok(await tab.getByRole("button", { name: "Ask", exact: true }).isDisabled());
  assert.equal(await field(tab).inputValue(), QUESTION);
  await shown.getByText("You can ask again now.").waitFor();
  docent.widget.answer = () => answer("Whole.");
  await field(tab).press("Enter");
  await tab.locator(".tools").waitFor();
  await guard();
});

test("offline: it is said, what is typed is kept, and it goes on by itself", async () => {
  const { tab, context, guard } = await visit(browser, docent, home);
  await openWidget(tab);
  await context.setOffline(true);
  await tab.getByText("You are offline. What you type is kept.").waitFor();
  await field(tab).fill(QUESTION);
  await field(tab).press("Enter");
  assert.equal(await tab.locator(".answer").count(), 0);
  await assertAccessible(tab, "offline");
  await context.setOffline(false);
  await tab.locator(".banner").waitFor({ state: "hidden" });
  assert.equal(await field(tab).inputValue(), QUESTION);
  await field(tab).press("Enter");
  await tab.locator(".tools").waitFor();
  await guard();
});

test("a server that cannot be reached is told, with the way out", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  await openWidget(tab);
  await tab.route("**/api/chat", (route) => route.abort());
  await (await ask(tab, QUESTION)).getByText("The chat could not be reached.").waitFor();
  assert.equal(await field(tab).inputValue(), QUESTION);
  await guard();
});

test("10,000 pasted words are counted, kept and not sent", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  await openWidget(tab);
  const words = "lantern ".repeat(10_000);
  await field(tab).fill(words);
  await tab.getByText("Too long by 63,999 characters.").waitFor();
  await field(tab).press("Enter");
  assert.equal(await tab.locator(".answer").count(), 0);
  assert.equal(await field(tab).inputValue(), words);
  const { height } = await field(tab).boundingBox();
  assert.ok(height < 140, "the field does not push the conversation away");
  await assertAccessible(tab, "a text that is too long");
  // The limit is in bytes: 8,000 letters of two bytes fit, one more does not, and a bracket of four bytes is one too many.
  for (const [text, over] of [["é".repeat(8_000), 0], ["é".repeat(8_001), 1], [`${"x".repeat(15_999)}😀`, 1], [`${"ไ".repeat(5_333)}x`, 0]]) {
    await field(tab).fill(text);
    assert.equal(await tab.locator(".problem").first().innerText(), over ? "Too long by 1 characters. Shorten it; nothing is lost." : "");
  }
  await guard();
});

test("a browser without storage chats, and forgets on a reload", async () => {
  const init = () => {
    for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(globalThis, name, { get: () => { throw new DOMException("denied", "SecurityError"); } });
  };
  const { tab, guard } = await visit(browser, docent, home, { init });
  await openWidget(tab);
  await (await ask(tab, QUESTION)).locator(".tools").waitFor();
  await (await ask(tab, QUESTION)).locator(".tools").waitFor();
  assert.equal(docent.widget.visitors.length, 1, "one visitor, in memory");
  await tab.reload();
  await tab.locator(".launcher").waitFor();
  await guard();
});

test("an expired token is renewed for the same visitor, before its end and after", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  await openWidget(tab);
  await (await ask(tab, QUESTION)).locator(".tools").waitFor();
  docent.widget.dead.add(docent.widget.visitors[0].token);
  await (await ask(tab, QUESTION)).locator(".tools").waitFor();
  assert.equal(await tab.locator(".bad").count(), 0, "nobody notices");
  docent.widget.lifetime = 30;
  docent.widget.dead.add(docent.widget.visitors[1].token);
  await (await ask(tab, QUESTION)).locator(".tools").waitFor();
  await (await ask(tab, QUESTION)).locator(".tools").waitFor();
  assert.equal(docent.widget.visitors.length, 4, "what ends within a minute is renewed before it is used");
  assert.equal(new Set(docent.widget.visitors.map(({ visitor }) => visitor)).size, 1);
  await guard();
});

test("a page of another origin is refused, and says so to its visitor and its owner", async () => {
  docent.widget.origins = ["https://museum.example"];
  const { tab, guard } = await visit(browser, docent, home);
  const warned = tab.waitForEvent("console", { predicate: (message) => message.text().includes("publishable token's origins") });
  await openWidget(tab);
  await (await ask(tab, QUESTION)).getByText("The chat could not be reached.").waitFor();
  assert.ok((await (await warned).text()).includes(home.url));
  assert.equal(docent.widget.visitors.length, 0);
  assert.equal(await field(tab).inputValue(), QUESTION);
  await guard();
});

test("a reload goes on with the running answer, and keeps the conversation and the draft", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  await openWidget(tab);
  await (await ask(tab, "First?")).locator(".tools").waitFor();
  const whole = answer("One two three four five six seven eight nine ten.");
  docent.widget.answer = () => whole.flatMap((chunk) => (chunk.delta?.startsWith("four") ? [{ pause: 1_500 }, chunk] : [chunk]));
  await (await ask(tab, "Count!")).getByText("One two three").waitFor();
  await field(tab).fill("And then");
  await tab.reload();
  await tab.locator(".panel").waitFor();
  assert.equal(await field(tab).inputValue(), "And then");
  await tab.getByText("One two three four five six seven eight nine ten.", { exact: true }).waitFor();
  await tab.locator(".answer").last().locator(".tools").waitFor();
  assert.deepEqual(await tab.locator(".question .words").allInnerTexts(), ["First?", "Count!"]);
  assert.equal(await tab.locator(".bad").count(), 0);
  await tab.reload();
  assert.equal(await tab.locator(".answer .tools").count(), 2, "a whole answer is not asked for again");
  await tab.getByRole("button", { name: "New conversation" }).click();
  await tab.getByText("What would you like to know about the lighthouse?").waitFor();
  await guard();
});

test("a reload shows the answer that came to its end in the meantime", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  docent.widget.answer = () => [...HALF, { pause: 600 }, "cut"];
  await openWidget(tab);
  await (await ask(tab, QUESTION)).getByText("Half of an").waitFor();
  docent.widget.running.clear();
  docent.widget.stored.set(docent.widget.asked[0].id, [{ role: "user", text: QUESTION }, { id: "m1", role: "assistant", state: "complete", text: "Half of an answer, and the other half [2].", citations: [{ n: 2, filename: "log.pdf", page: 4, quote: "the other half" }] }]);
  await tab.reload();
  await tab.getByText("Half of an answer, and the other half").waitFor();
  await tab.getByRole("button", { name: "Source 2: log.pdf, page 4" }).first().click();
  assert.equal(await tab.locator(".sheet mark").innerText(), "the other half");
  await guard();
});

test("a stored answer names each citation's own file, recalled or replayed, in whatever order it cites", async () => {
  const text = "The hour [2], and the hand [1].";
  const citations = [{ n: 2, sourceId: "s2", documentId: "d2", filename: "hours.pdf", page: 4, quote: "the hour" }, { n: 1, sourceId: "s1", documentId: "d1", filename: "hands.pdf", page: 9, quote: "the hand" }];
  const named = async (shown) => {
    await shown.locator(".tools").waitFor();
    assert.equal(await shown.locator(".prose").innerText(), "The hour 2, and the hand 1.");
    const titles = await shown.locator(".cite").evaluateAll((all) => all.map((one) => one.title));
    assert.deepEqual(titles, ["Source 2: hours.pdf, page 4", "Source 1: hands.pdf, page 9"]);
    assert.deepEqual(await shown.locator(".source .title").allInnerTexts(), ["hands.pdf", "hours.pdf"]);
  };
  const { tab, guard } = await visit(browser, docent, home);
  docent.widget.answer = () => [...HALF, { pause: 600 }, "cut"];
  await openWidget(tab);
  await (await ask(tab, QUESTION)).getByText("Half of an").waitFor();
  docent.widget.running.clear();
  docent.widget.stored.set(docent.widget.asked[0].id, [{ role: "user", text: QUESTION }, { id: "m1", role: "assistant", state: "complete", text, citations }]);
  await tab.reload();
  await named(tab.locator(".answer").last());
  const replayed = answer(text).map((chunk) => (chunk.type === "data-citations" ? { ...chunk, data: citations } : chunk));
  docent.widget.answer = () => replayed.flatMap((chunk) => (chunk.type === "data-citations" ? [{ pause: 100 }, chunk] : [chunk]));
  await named(await ask(tab, "Again?"));
  await tab.reload();
  await named(tab.locator(".answer").last());
  await guard();
});

test("closing and opening in the middle of an answer leaves its one reader alone", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  const resumed = [];
  tab.on("request", (request) => request.url().endsWith("/stream") && resumed.push(request.url()));
  const whole = answer("One two three four five.");
  docent.widget.answer = () => whole.flatMap((chunk) => (chunk.delta?.startsWith("four") ? [{ pause: 1_000 }, chunk] : [chunk]));
  await openWidget(tab);
  const shown = await ask(tab, "Count!");
  await shown.getByText("One two three").waitFor();
  await tab.keyboard.press("Escape");
  await openWidget(tab);
  await shown.locator(".tools").waitFor();
  assert.equal(await shown.locator(".prose").innerText(), "One two three four five.");
  assert.equal(await tab.locator(".answer .tools").count(), 1);
  assert.deepEqual(resumed, []);
  await guard();
});

test("a page that is left and shown again has one reader, and the broken one says nothing", async () => {
  const init = () => {
    const real = fetch;
    globalThis.readers = [];
    globalThis.fetch = (url, options) => (/chat/.test(url) && readers.push(options.signal), real(url, options));
  };
  const { tab, guard } = await visit(browser, docent, home, { init });
  const whole = answer("One two three four five.");
  docent.widget.answer = () => whole.flatMap((chunk) => (chunk.delta?.startsWith("four") ? [{ pause: 1_000 }, chunk] : [chunk]));
  await openWidget(tab);
  const shown = await ask(tab, "Count!");
  await shown.getByText("One two three").waitFor();
  await tab.evaluate(() => ["pagehide", "pageshow"].forEach((name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true }))));
  await shown.locator(".tools").waitFor();
  assert.equal(await shown.locator(".prose").innerText(), "One two three four five.");
  assert.equal(await tab.locator(".notice").count(), 0);
  assert.deepEqual(await tab.evaluate(() => readers.map(({ aborted }) => aborted)), [true, false], "the first reader is ended");
  await guard();
});

test("asking an older question again keeps the newer answers", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  docent.widget.answer = () => [...HALF, "cut"];
  await openWidget(tab);
  await (await ask(tab, QUESTION)).locator(".bad").waitFor();
  docent.widget.answer = () => answer("Whole.");
  await (await ask(tab, "And how tall?")).locator(".tools").waitFor();
  await tab.getByRole("button", { name: "Ask again" }).click();
  await tab.locator(".answer").nth(2).locator(".tools").waitFor();
  assert.deepEqual(await tab.locator(".question .words").allInnerTexts(), [QUESTION, "And how tall?", QUESTION]);
  const { trigger, message } = docent.widget.asked.at(-1);
  assert.deepEqual([trigger, message.parts[0].text], ["submit-message", QUESTION]);
  assert.equal(new Set(docent.widget.asked.map((one) => one.message.id)).size, 3);
  await guard();
});

test("a reload whose answer is lost says so, keeps what arrived, and asks again", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  docent.widget.answer = () => [...HALF, { pause: 600 }, "cut"];
  await openWidget(tab);
  await (await ask(tab, QUESTION)).getByText("Half of an").waitFor();
  docent.widget.running.clear();
  await tab.reload();
  await tab.locator(".bad").getByText("The answer broke off before its end.").waitFor();
  assert.equal(await tab.locator(".prose").innerText(), "Half of an");
  docent.widget.answer = () => answer("Whole.");
  await tab.getByRole("button", { name: "Ask again" }).click();
  await tab.locator(".tools").waitFor();
  await guard();
});

test("stopping keeps what arrived, tells the server, and the next question goes its way", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  docent.widget.answer = () => [...HALF, { pause: 3_000 }, { type: "finish" }];
  await openWidget(tab);
  const shown = await ask(tab, QUESTION);
  await shown.getByText("Half of an").waitFor();
  await field(tab).fill("Next");
  await tab.getByRole("button", { name: "Stop the answer" }).click();
  await shown.getByText("Stopped. What arrived is kept.").waitFor();
  assert.equal(await field(tab).inputValue(), "Next");
  docent.widget.answer = () => answer("Whole.");
  await field(tab).press("Enter");
  await tab.locator(".answer").last().locator(".tools").waitFor();
  assert.deepEqual(docent.widget.stopped, [docent.widget.asked[0].id]);
  await guard();
});

test("a nickname is asked for once; a signed visitor is not asked", async () => {
  const named = await visit(browser, docent, home, { attributes: { nickname: "true" } });
  await openWidget(named.tab);
  await assertAccessible(named.tab, "the nickname gate");
  await named.tab.keyboard.press("Enter");
  await named.tab.getByText("Write a name of up to 80 characters.").waitFor();
  await named.tab.getByLabel("Name").fill("Zoë");
  await named.tab.keyboard.press("Enter");
  await (await ask(named.tab, QUESTION)).locator(".tools").waitFor();
  assert.deepEqual(docent.widget.visitors.map(({ nickname }) => nickname), ["Zoë"]);
  await named.tab.reload();
  await named.tab.locator("textarea").waitFor();
  await named.guard();
  const identity = { id: "user-7", expiresAt: 1_900_000_000, signature: "00" };
  const signed = await visit(browser, docent, home, { attributes: { nickname: "true", visitor: JSON.stringify(identity) } });
  await openWidget(signed.tab);
  await (await ask(signed.tab, QUESTION)).locator(".tools").waitFor();
  assert.equal(docent.widget.visitors.at(-1).visitor, "i:user-7");
  assert.deepEqual(await signed.tab.evaluate(() => Object.keys(localStorage)), [], "who was vouched for leaves nothing in the browser");
  await signed.guard();
});

const person = (id) => ({ visitor: JSON.stringify({ id, expiresAt: 1_900_000_000, signature: "00" }) });

test("a signed person comes before the kept visitor, and nobody sees another person's conversation or draft", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  const comes = async (attributes) => {
    home.state.attributes = attributes;
    await tab.reload();
    await tab.locator(".panel").waitFor();
    return { questions: await tab.locator(".question .words").allInnerTexts(), draft: await field(tab).inputValue() };
  };
  const asks = async (question, draft) => {
    await (await ask(tab, question)).locator(".tools").waitFor();
    await field(tab).fill(draft);
    return docent.widget.visitors.at(-1).visitor;
  };
  await openWidget(tab);
  const nobody = await asks("Mine?", "My draft");
  assert.match(nobody, /^a:/);
  const nothing = { questions: [], draft: "" };
  assert.deepEqual(await comes({}), { questions: ["Mine?"], draft: "My draft" });
  assert.deepEqual(await comes(person("user-7")), nothing);
  assert.equal(await asks("Of seven?", "Draft of seven"), "i:user-7");
  assert.deepEqual(await comes(person("user-7")), { questions: ["Of seven?"], draft: "Draft of seven" });
  assert.deepEqual(await comes(person("user-8")), nothing);
  assert.equal(await asks("Of eight?", "Draft of eight"), "i:user-8");
  assert.deepEqual(await comes({}), nothing, "eight has signed out");
  docent.widget.visitors.length = 1;
  assert.equal(await asks("Mine again?", ""), nobody, "the browser's own visitor is still the same");
  await guard();
});

test("a page that identifies its person late, or another one, loses the old conversation and not the question", async () => {
  const { tab, guard } = await visit(browser, docent, home);
  const identify = (id) => tab.evaluate((id) => (document.querySelector("docent-chat").identify = async () => ({ id, expiresAt: 1_900_000_000, signature: "00" })), id);
  await openWidget(tab);
  await (await ask(tab, "Mine?")).locator(".tools").waitFor();
  for (const id of ["user-9", "user-10"]) {
    await identify(id);
    await field(tab).fill(`Of ${id}?`);
    await field(tab).press("Enter");
    await tab.locator(".answer").first().waitFor({ state: "detached" });
    assert.equal(await field(tab).inputValue(), `Of ${id}?`);
    await field(tab).press("Enter");
    await tab.locator(".tools").waitFor();
    assert.equal(docent.widget.visitors.at(-1).visitor, `i:${id}`);
    assert.deepEqual(await tab.locator(".question .words").allInnerTexts(), [`Of ${id}?`]);
  }
  assert.deepEqual(docent.widget.asked.map(({ message }) => message.parts[0].text), ["Mine?", "Of user-9?", "Of user-10?"]);
  assert.equal(new Set(docent.widget.asked.map(({ id }) => id)).size, 3, "each in a conversation of their own");
  await guard();
});
