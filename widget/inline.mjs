// One line of an answer as nodes: emphasis, code, links and citation markers. Every scan is bounded, so no text takes more than linear time.
import { el } from "./dom.mjs";

const DEEPEST = 4;
const MARKER = /\[(\d{1,3})\]/y;
const LINK = /\[([^[\]\n]{1,300})\]\(([^()\s<>]{1,2000}(?:\([^()\s<>]{0,200}\)[^()\s<>]{0,200})?)\)/y;
const BRACKETED = /<(https?:\/\/[^\s<>]{1,2000})>/iy;
const BARE = /https?:\/\/[^\s<>"'`\\\]{}|]{1,2000}/iy;
const PAIRS = ["**", "__", "~~", "*", "_"];
const TAGS = { "**": "strong", "__": "strong", "~~": "del", "*": "em", "_": "em" };

/** `cite(number)` answers a marker's element, or null when there is no such source. */
export function inline(text, cite, depth = 0) {
  const nodes = [];
  const hopeless = new Set();
  let plainFrom = 0;
  let at = 0;
  const take = (node, end) => {
    if (plainFrom < at) nodes.push(text.slice(plainFrom, at));
    nodes.push(node);
    plainFrom = at = end;
  };
  while (at < text.length) {
    const found = special(text, at, { cite, depth, hopeless });
    if (found?.node) take(found.node, found.end);
    else at = found?.end ?? at + 1;
  }
  if (plainFrom < text.length) nodes.push(text.slice(plainFrom));
  return nodes;
}

/** What begins at `at`: `{node, end}`, `{end}` for characters to pass over together, or nothing. */
function special(text, at, context) {
  const letter = text[at];
  if (letter === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) return { node: text[at + 1], end: at + 2 };
  if (letter === "`") return code(text, at, context.hopeless);
  if (letter === "[") return marker(text, at, context.cite) ?? link(text, at);
  if (letter === "<") return address(text, at, BRACKETED);
  if ((letter === "h" || letter === "H") && !/\w/.test(text[at - 1] ?? "")) return address(text, at, BARE);
  return "*_~".includes(letter) ? emphasis(text, at, context) : null;
}

function code(text, at, hopeless) {
  let end = at;
  while (text[end] === "`") end += 1;
  const fence = text.slice(at, end);
  const close = hopeless.has(fence) ? -1 : text.indexOf(fence, end);
  if (close < 0) {
    hopeless.add(fence);
    return { end };
  }
  return { node: el("code", {}, text.slice(end, close)), end: close + fence.length };
}

function marker(text, at, cite) {
  MARKER.lastIndex = at;
  const found = MARKER.exec(text);
  const node = found && text[MARKER.lastIndex] !== "(" && cite(Number(found[1]));
  return node ? { node, end: at + found[0].length } : null;
}

/** An image stays as its text: drawing it would tell another host who reads. */
function link(text, at) {
  LINK.lastIndex = at;
  const found = text[at - 1] === "!" ? null : LINK.exec(text);
  const node = found && anchor(found[1], found[2]);
  return node ? { node, end: at + found[0].length } : null;
}

function address(text, at, pattern) {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  if (!found) return null;
  const url = pattern === BARE ? trimmed(found[0]) : found[1];
  const node = anchor(url, url);
  return node ? { node, end: at + (pattern === BARE ? url : found[0]).length } : null;
}

/** A sentence's full stop is not the address's; nor is a bracket that was opened before it. */
function trimmed(url) {
  let end = url.replace(/[.,;:!?*_~]{1,9}$/, "");
  if (end.endsWith(")") && !end.includes("(")) end = end.slice(0, -1);
  return end;
}

/** Only http and https, without a user's name; where the words do not say the host, it is said beside them. */
function anchor(words, address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return null;
  const says = words.toLowerCase().includes(url.hostname);
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow", referrerpolicy: "no-referrer" }, words, says ? null : el("span", { class: "host" }, `(${url.hostname})`));
}

function emphasis(text, at, { cite, depth, hopeless }) {
  const pair = PAIRS.find((mark) => text.startsWith(mark, at));
  if (!pair) return null;
  const begin = at + pair.length;
  // snake_case_names are no emphasis.
  const inWord = pair[0] === "_" && /\w/.test(text[at - 1] ?? "");
  if (depth >= DEEPEST || inWord || hopeless.has(pair) || !/\S/.test(text[begin] ?? "")) return { end: begin };
  const close = closing(text, begin, pair);
  if (close < 0) {
    hopeless.add(pair);
    return { end: begin };
  }
  return { node: el(TAGS[pair], {}, ...inline(text.slice(begin, close), cite, depth + 1)), end: close + pair.length };
}

function closing(text, begin, pair) {
  for (let close = text.indexOf(pair, begin + 1); close >= 0; close = text.indexOf(pair, close + 1)) {
    const after = text[close + pair.length] ?? "";
    const whole = pair.length === 2 || (after !== pair && text[close - 1] !== pair);
    if (whole && /\S/.test(text[close - 1]) && !(pair[0] === "_" && /\w/.test(after))) return close;
  }
  return -1;
}
