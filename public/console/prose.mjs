// An answer's text as elements: paragraphs, lists, quotes, code, and its [n] markers as buttons. Links and images stay text on purpose:
// an answer must not be able to make the reader's browser call another host.
import { el } from "./dom.mjs";

/** Splits text into `{kind, source, …}` blocks; pure, so that a test can hold it without a page. */
export function blocks(text) {
  const found = [];
  let fence = null;
  for (const line of text.split("\n")) {
    const last = found.at(-1);
    if (fence) {
      if (line.trim() === "```") fence = null;
      else fence.lines.push(line);
    } else if (line.startsWith("```")) {
      fence = { kind: "code", lines: [] };
      found.push(fence);
    } else if (!line.trim()) {
      if (last?.kind !== "gap") found.push({ kind: "gap", lines: [] });
    } else {
      const [kind, rest] = kindOf(line);
      if (last?.kind === kind && kind !== "heading") last.lines.push(rest);
      else if (last && kind === "paragraph" && /list$/.test(last.kind)) last.lines.push(`${last.lines.pop()} ${rest.trim()}`);
      else found.push({ kind, lines: [rest] });
    }
  }
  return found.filter((block) => block.kind !== "gap");
}

function kindOf(line) {
  const heading = /^#{1,6} +(.*)$/.exec(line);
  if (heading) return ["heading", heading[1]];
  const bullet = /^\s*[-*•] +(.*)$/.exec(line);
  if (bullet) return ["bullet-list", bullet[1]];
  const numbered = /^\s*\d{1,3}[.)] +(.*)$/.exec(line);
  if (numbered) return ["number-list", numbered[1]];
  const quote = /^> ?(.*)$/.exec(line);
  if (quote) return ["quote", quote[1]];
  return ["paragraph", line];
}

/** Draws text that grows. Blocks that did not change keep their elements, and with them the reader's focus and selection. */
export class Prose {
  element = el("div", { class: "prose" });
  #drawn = [];
  #cite;

  /** `cite(number)` answers the marker's element, or null when there is no such source. */
  constructor(cite) {
    this.#cite = cite;
  }

  draw(text, growing) {
    // A marker that is still arriving would flash as text.
    const shown = growing ? text.replace(/\[\d{0,3}$/, "") : text;
    const next = blocks(shown).map((block) => ({ block, source: JSON.stringify(block) }));
    let same = 0;
    while (same < next.length && this.#drawn[same]?.source === next[same].source) same += 1;
    for (const old of this.#drawn.splice(same)) old.node.remove();
    for (const { block, source } of next.slice(same)) {
      const node = this.#node(block);
      this.#drawn.push({ source, node });
      this.element.append(node);
    }
  }

  #node({ kind, lines }) {
    if (kind === "code") return el("pre", { tabindex: "0" }, el("code", {}, lines.join("\n")));
    if (kind === "bullet-list") return el("ul", {}, ...lines.map((line) => el("li", {}, ...this.#inline(line))));
    if (kind === "number-list") return el("ol", {}, ...lines.map((line) => el("li", {}, ...this.#inline(line))));
    const tag = { heading: "h4", quote: "blockquote" }[kind] ?? "p";
    return el(tag, {}, ...this.#inline(lines.join("\n")));
  }

  #inline(text) {
    return text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*|\s?\[\d{1,3}\])/).filter(Boolean).map((part) => {
      if (/^`.+`$/.test(part)) return el("code", {}, part.slice(1, -1));
      if (/^\*\*.+\*\*$/.test(part)) return el("strong", {}, part.slice(2, -2));
      const marker = /^\s?\[(\d{1,3})\]$/.exec(part);
      return (marker && this.#cite(Number(marker[1]))) ?? part;
    });
  }
}
