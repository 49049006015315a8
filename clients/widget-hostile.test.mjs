// 500 hostile answers, titles and quotes: none makes the browser ask another host or run a script.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { launch } from "./browser.mjs";
import { start } from "./mock.mjs";
import { answer } from "./mock-widget.mjs";
import { openWidget, site, test, visit } from "./widget-page.mjs";

const COUNT = 500;
/** A conversation that grows without end would measure something else. */
const PER_CONVERSATION = 20;
const CALL = "globalThis.owned=1";
const EVIL = "//evil.example/p";

/** What an attacker would write, where it would take effect in a careless renderer. */
const PAYLOADS = [
  `<img src=x onerror="${CALL}">`, `<svg onload=${CALL}>`, `<script>${CALL}</script>`, `<iframe src="https:${EVIL}"></iframe>`, `<link rel=stylesheet href=https:${EVIL}>`,
  `<style>@import "https:${EVIL}"</style>`, `<form action=https:${EVIL}><button>Go</button></form>`, `<a href="javascript:${CALL}">x</a>`, `<base href=https:${EVIL}>`, `<meta http-equiv=refresh content="0;url=https:${EVIL}">`,
  `![pixel](https:${EVIL}.png)`, `![pixel](${EVIL})`, `[![nested](https:${EVIL}.png)](https:${EVIL})`, `[x](javascript:${CALL})`, `[x](JaVaScRiPt:${CALL})`, `[x](java\tscript:${CALL})`, `[x](data:text/html,<script>${CALL}</script>)`,
  `[x](vbscript:${CALL})`, `[x](blob:https:${EVIL})`, `[x](file:///etc/passwd)`, `[x](https://good.example@evil.example/)`, `[x][r]\n\n[r]: javascript:${CALL}`, `<javascript:${CALL}>`, `\`\`\`html\n<img src=x onerror=${CALL}>\n\`\`\``,
  `| <img src=x onerror=${CALL}> | [x](javascript:${CALL}) |\n|---|---|\n| ![p](https:${EVIL}) | y |`, `- - - <svg/onload=${CALL}>`, `> > > [x](javascript:${CALL})`, `**_~~[x](javascript:${CALL})~~_**`, "[1](javascript:0)", `[[1]](data:,x)`, `\\<img src=x onerror=${CALL}>`,
  `\u202Egnp.exe\u202C <video><source onerror=${CALL}>`, `{{constructor.constructor('${CALL}')()}}`, `\${${CALL}}`, `"><img src=x onerror=${CALL}>`, `' onmouseover='${CALL}`, `]]><img src=x onerror=${CALL}>`, `<math><mtext><img src=x onerror=${CALL}>`, `<template shadowrootmode=open><img src=x onerror=${CALL}></template>`,
  `${"[".repeat(2_000)}x${"](".repeat(2_000)}`, `${"*".repeat(3_000)}x${"_".repeat(3_000)}`, `${"`".repeat(2_001)} x`, `${"> ".repeat(800)}x`, `${"  - x\n".repeat(300)}`, `https:${EVIL}${"(".repeat(1_500)}`, "\u0000\uFFFE\uD800", `http://[::1`, `https://evil.example:99999/x`,
];

/** The same 500 each time. */
function dice(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function hostile(number) {
  const roll = dice(number + 1);
  const one = () => PAYLOADS[roll(PAYLOADS.length)];
  const wrap = (text) => [text, `**${text}**`, `1. ${text}\n   - ${text}`, `# ${text}`, `[${text}](https://x.example)`, `a ${text} b [1] [2]`][roll(6)];
  // Each is met alone once, then they are mixed.
  const text = number < PAYLOADS.length ? `${PAYLOADS[number]} [1]` : [wrap(one()), wrap(one()), "[1]"].join(["\n\n", " ", ""][roll(3)]);
  return inFew(answer(text, [{ title: one(), page: roll(2) ? 3 : one(), quote: `${one()} ${one()}`, cited: one() }, { title: one(), quote: one() }]));
}

/** Cut at two places, which is where a renderer of streams could be misled; word by word would only take longer. */
function inFew(chunks) {
  const deltas = chunks.filter(({ type }) => type === "text-delta");
  const text = deltas.map(({ delta }) => delta).join("");
  const cuts = [0, Math.floor(text.length / 3), Math.floor(text.length / 2), text.length];
  const few = cuts.slice(1).map((end, index) => ({ type: "text-delta", id: "text", delta: text.slice(cuts[index], end) }));
  const at = chunks.indexOf(deltas[0]);
  return [...chunks.slice(0, at), ...few, ...chunks.slice(at + deltas.length)];
}

test(`${COUNT} hostile answers: no request to another host, no script, no element that could make one`, async () => {
  const docent = await start({ pace: 0 });
  const browser = await launch();
  const home = await site(docent);
  after(async () => {
    await browser.close();
    home.stop();
    docent.stop();
  });
  // The policy would hold most of it back; without one, the widget alone has to.
  const { tab, guard } = await visit(browser, docent, home, { policy: "default-src * 'unsafe-inline' 'unsafe-eval' data: blob:" });
  await openWidget(tab);
  docent.widget.answer = (question) => hostile(Number(question));
  const begin = performance.now();
  let slowest = 0;
  for (let first = 0; first < COUNT; first += PER_CONVERSATION) {
    const found = await tab.evaluate(readAll, [first, PER_CONVERSATION]);
    assert.deepEqual(found.wrong, [], `answers from ${first}`);
    assert.equal(found.answered, PER_CONVERSATION);
    slowest = Math.max(slowest, found.slowest);
    await tab.getByRole("button", { name: "New conversation" }).click();
  }
  assert.equal(await tab.evaluate(() => globalThis.owned), undefined);
  console.log(`${COUNT} hostile answers in ${Math.round(performance.now() - begin)} ms, the slowest ${Math.round(slowest)} ms`);
  assert.ok(slowest < 2_000);
  await guard();
});

/** In the page: asks, opens the quote, and lists whatever is not of the widget's own making. */
async function readAll([first, count]) {
  const chat = document.querySelector("docent-chat");
  const root = chat.shadowRoot;
  const OWN = new Set("div,section,header,h2,h3,h4,p,span,i,ul,ol,li,button,textarea,form,article,bdi,strong,em,del,code,pre,blockquote,mark,hr,table,thead,tbody,tr,th,td,a,svg,path".split(","));
  const wrong = new Set();
  let slowest = 0;
  const look = (within) => {
    for (const node of within.querySelectorAll("*")) {
      if (!OWN.has(node.localName)) wrong.add(`<${node.localName}>`);
      if ((node.localName === "svg" && !node.classList.contains("glyph")) || (node.localName === "form" && !node.classList.contains("composer"))) wrong.add(`foreign <${node.localName}>`);
      for (const { name, value } of node.attributes) {
        if (/^on|^src|^srcdoc|^style$|^action$|^formaction$/.test(name)) wrong.add(`${node.localName}[${name}]`);
        if (name === "href" && !/^https?:\/\/[^@]*$/.test(value)) wrong.add(`href ${value}`);
      }
    }
  };
  for (let number = first; number < first + count; number += 1) {
    const begun = performance.now();
    await chat.ask(String(number));
    while (root.querySelector("article[aria-busy=true]")) await new Promise(requestAnimationFrame);
    slowest = Math.max(slowest, performance.now() - begun);
    root.querySelector("article:last-of-type .source")?.click();
    look(root.querySelector(".sheet"));
    root.querySelector(".sheet:not([hidden]) .icon")?.click();
  }
  look(root);
  return { wrong: [...wrong], answered: root.querySelectorAll("article .tools").length, slowest };
}
