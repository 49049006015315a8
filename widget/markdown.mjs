// An answer's text as elements: paragraphs, headings, lists in lists, quotes, tables and code. Markup of any other kind stays text.
import { el } from "./dom.mjs";
import { inline } from "./inline.mjs";

const DEEPEST_LIST = 3;

/** Splits text into blocks; pure, so that a test can hold it without a page. */
export function blocks(text) {
  const found = [];
  let fence = null;
  for (const line of text.split(/\r?\n/)) {
    const last = found.at(-1);
    if (fence) {
      if (line.trim() === fence.mark) fence = null;
      else fence.lines.push(line);
    } else if (/^ {0,3}(```|~~~)/.test(line)) {
      fence = { kind: "code", mark: line.trim().slice(0, 3), lines: [] };
      found.push(fence);
    } else if (!line.trim()) {
      if (last?.kind !== "gap") found.push({ kind: "gap", lines: [] });
    } else {
      const { kind, ...rest } = kindOf(line);
      const before = last?.kind === "gap" ? found.at(-2) : last;
      if (kind === "list" && before?.kind === "list") before.lines.push(rest);
      else if (kind === "paragraph" && last?.kind === "list") last.lines.at(-1).text += ` ${rest.text.trim()}`;
      else if (last?.kind === kind && kind !== "heading") last.lines.push(rest);
      else found.push({ kind, lines: [rest] });
    }
  }
  return found.filter((block) => block.kind !== "gap");
}

function kindOf(line) {
  const heading = /^ {0,3}#{1,6}\s+(.*)$/.exec(line);
  if (heading) return { kind: "heading", text: heading[1] };
  const item = /^(\s*)([-*+•]|\d{1,9}[.)])\s+(.*)$/.exec(line);
  if (item) return { kind: "list", indent: item[1].replace(/\t/g, "    ").length, start: Number.parseInt(item[2], 10), text: item[3] };
  const quote = /^ {0,3}> ?(.*)$/.exec(line);
  if (quote) return { kind: "quote", text: quote[1] };
  if (/^\s*\|.*\|\s*$/.test(line)) return { kind: "table", text: line.trim() };
  if (/^ {0,3}([-*_])(?: *\1){2,}\s*$/.test(line)) return { kind: "rule", text: "" };
  return { kind: "paragraph", text: line };
}

/** Draws text that grows. Blocks that did not change keep their elements, and with them the reader's focus and selection. */
export class Prose {
  element = el("div", { class: "prose", dir: "auto" });
  #drawn = [];
  #cite;

  constructor(cite) {
    this.#cite = cite;
  }

  draw(text, growing) {
    // A marker or a link that is still arriving would flash as text.
    const shown = growing ? text.replace(/\[[^\]\n]{0,300}(\]\([^)\s]{0,2000})?$/, "") : text;
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
    if (kind === "list") return this.#list(lines);
    if (kind === "table") return this.#table(lines.map((line) => line.text));
    if (kind === "rule") return el("hr");
    const tag = { heading: "h4", quote: "blockquote" }[kind] ?? "p";
    return el(tag, { dir: "auto" }, ...this.#inline(lines.map((line) => line.text).join("\n")));
  }

  #list(lines) {
    const open = [];
    let root = null;
    for (const { indent, start, text } of lines) {
      while (open.length && indent < open.at(-1).indent) open.pop();
      if (!open.length || (indent > open.at(-1).indent + 1 && open.length < DEEPEST_LIST)) {
        const list = start >= 0 ? el("ol", { start: start === 1 ? null : start }) : el("ul");
        if (open.length) open.at(-1).list.lastElementChild.append(list);
        else if (root) root.after(list);
        root ??= list;
        open.push({ indent, list });
      }
      open.at(-1).list.append(el("li", { dir: "auto" }, ...this.#inline(text)));
    }
    return root;
  }

  #table(rows) {
    const cells = (row) => row.slice(1, -1).split("|").map((cell) => cell.trim());
    const ruled = /^\|(\s*:?-+:?\s*\|)+$/.test(rows[1] ?? "");
    const line = (row, tag) => el("tr", {}, ...cells(row).map((cell) => el(tag, { dir: "auto" }, ...this.#inline(cell))));
    const body = rows.filter((_, index) => !ruled || index > 1).map((row) => line(row, "td"));
    return el("div", { class: "wide", tabindex: "0", role: "group" }, el("table", {}, ruled && el("thead", {}, line(rows[0], "th")), el("tbody", {}, ...body)));
  }

  #inline(text) {
    return inline(text, this.#cite);
  }
}
