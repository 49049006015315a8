// `useChat` in a real browser: the page is built with esbuild and served from the origin of the chat, as a site's is,
// and what React has put on the screen is what a case reads.
import { build } from "esbuild";
import { wireTo } from "./wire.mjs";
import { settled, until } from "./world.mjs";

const ENTRY = new URL("page.mjs", import.meta.url).pathname;

/** Pages to be used one after the other, each with connections of its own: a browser opens six to a host, and streams hold them. */
export async function pages(browser, docent, most) {
  const options = { bundle: true, minify: true, write: false, format: "iife", define: { "process.env.NODE_ENV": '"production"' }, logLevel: "error" };
  const built = await build({ entryPoints: [ENTRY], ...options });
  const html = `<!doctype html><meta charset="utf-8"><title>matrix</title><body><script>${built.outputFiles[0].text.replaceAll("</script", "<\\/script")}</script>`;
  // Started before they are needed: a case that resumes an answer does not wait for a page.
  const all = await Promise.all(Array.from({ length: most }, () => start(browser, docent, html)));
  const free = [...all];
  return { take: () => free.pop(), give: (page) => free.push(page), close: () => all.forEach(({ wire }) => wire.close()) };
}

async function start(browser, docent, html) {
  // A page that no server has sent counts as a public one, which must ask before it reaches this machine.
  const page = await (await browser.newContext({ permissions: ["local-network-access"] })).newPage();
  const wrongs = [];
  page.on("pageerror", (error) => wrongs.push(error.message));
  await page.route("**/matrix.html", (route) => route.fulfill({ contentType: "text/html", body: html }));
  const wire = await wireTo(docent.url);
  await page.goto(`${wire.url}/matrix.html`);
  return { page, wrongs, wire };
}

export function reactClient(name, major, pool, docent) {
  async function open({ publishable, ...options }) {
    const taken = pool.take();
    const { page, wrongs, wire } = taken;
    const id = options.id ?? crypto.randomUUID();
    const visitor = publishable && { url: docent.url, token: await letIn(page, docent.url, await publishable(wire.url)) };
    await page.evaluate(([major, options]) => show(major, options), [major, { token: docent.token, ...visitor, ...options, id }]);
    // React draws in a task of its own, which two turns of the loop let pass.
    const turn = () => new Promise((resolve) => setTimeout(() => setTimeout(() => resolve(document.querySelector("#state")?.textContent ?? null))));
    const read = async () => JSON.parse(await page.evaluate(turn)) ?? { status: "submitted", messages: [] };
    const call = (verb, message) => page.evaluate(async ([verb, message]) => void (await window.chat[verb](message)), [verb, message]);
    const finished = (verb, message) => call(verb, message).then(() => settled(read));
    await until(() => page.evaluate(() => !!window.chat), () => "the page was drawn");
    return {
      id,
      state: () => settled(read),
      send: (message) => finished("sendMessage", message),
      begin: (message) => page.evaluate((message) => void window.chat.sendMessage(message), message),
      regenerate: () => finished("regenerate"),
      stop: () => finished("stop"),
      resume: () => finished("resumeStream"),
      until: (look, what) => until(async () => { const state = await read(); return look(state) && state; }, () => what),
      disconnect: async () => wire.tear(),
      async close() {
        await page.evaluate(() => leave());
        pool.give(taken);
        if (wrongs.length > 0) throw new Error(`script errors: ${wrongs.splice(0).join("; ")}`);
      },
    };
  }
  // What they are told after a break they take for the rest: 5 does not know replays, and 6 forgets to ask its transport.
  return { name, open, knowsDisconnects: true, doublesReplays: major < 7 };
}

/** The page's visitor, on a system of another origin. */
async function letIn(page, url, { token }) {
  const asked = async ([url, token]) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return (await fetch(`${url}/api/tokens/visitor`, { method: "POST", headers, body: "{}" })).json();
  };
  return (await page.evaluate(asked, [url, token])).token;
}
