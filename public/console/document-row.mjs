// One document in the list: its name, where it stands on its way to `ready`, and what one can do about it.
import { el, fileSize, icon, plain, plural } from "./dom.mjs";

const STAGES = ["uploading", "queued", "parsing", "embedding"];
const WORDS = { uploading: "Uploading", queued: "Waiting", parsing: "Reading", embedding: "Indexing", ready: "Ready", failed: "Failed", deleted: "Deleted" };

export class DocumentRow {
  element;
  #head = el("p", { class: "document-name" });
  #state = el("p", { class: "document-state" });
  #trail = el("div", { class: "trail" }, ...STAGES.map(() => el("span", {}, el("i"))));
  #problem = el("p", { class: "document-problem" });
  #kind = el("span", { class: "kind", "aria-hidden": "true" });
  #retry;
  #remove;
  #named = "";

  constructor({ onRemove, onRetry }) {
    this.#remove = el("button", { type: "button", class: "icon remove", onclick: onRemove }, icon("trash"));
    this.#retry = el("button", { type: "button", class: "quiet retry", hidden: true, onclick: onRetry }, icon("retry"), "Try again");
    this.#trail.setAttribute("role", "progressbar");
    const text = el("div", { class: "document-text" }, this.#head, this.#state, this.#trail, this.#problem, this.#retry);
    this.element = el("li", { class: "document" }, this.#kind, text, this.#remove);
  }

  /** `canRetry`: the same bytes may do better another time. */
  draw(document, canRetry) {
    const { status } = document;
    const filename = plain(document.filename);
    this.element.dataset.status = status;
    this.#kind.textContent = extension(filename);
    this.#name(document.id, filename);
    this.#head.title = document.title && document.title !== filename ? `${plain(document.title)} (${filename})` : filename;
    this.#state.replaceChildren(...stateLine(document));
    this.#problem.textContent = status === "failed" ? failure(document.error) : "";
    this.#retry.hidden = !(status === "failed" && canRetry);
    this.#remove.setAttribute("aria-label", `${status === "uploading" ? "Stop adding" : "Delete"} ${filename}`);
    this.#drawTrail(document);
  }

  /** A link to all that is known of it, as soon as the server knows it. */
  #name(id, filename) {
    const href = id && !id.startsWith("local_") ? `#/documents/${encodeURIComponent(id)}` : null;
    // Left alone where it is the same: the reader's focus may be on it.
    if (this.#named === `${href} ${filename}`) return;
    this.#named = `${href} ${filename}`;
    this.#head.replaceChildren(href ? el("a", { href, dir: "auto" }, filename) : filename);
  }

  #drawTrail({ filename: name, status, progress }) {
    const filename = plain(name);
    const at = STAGES.indexOf(status);
    this.#trail.hidden = at < 0;
    if (at < 0) return;
    const share = progress?.total > 0 ? progress.done / progress.total : 0;
    const measured = status === "uploading" || (status === "embedding" && progress?.total > 0);
    for (const [index, segment] of [...this.#trail.children].entries()) {
      segment.dataset.state = index < at ? "done" : index > at ? "ahead" : measured ? "measured" : "busy";
      segment.firstChild.style.setProperty("--share", String(index === at && measured ? share : index < at ? 1 : 0));
    }
    this.#trail.setAttribute("aria-label", `Progress of ${filename}`);
    this.#trail.setAttribute("aria-valuenow", String(Math.round(((at + share) / STAGES.length) * 100)));
    this.#trail.setAttribute("aria-valuetext", stageWords({ status, progress }));
  }
}

/** The state in words, as shown and as announced. */
export function stageWords({ status, progress }) {
  const word = WORDS[status] ?? status;
  if (status === "uploading" && progress?.total > 0) return `${word} ${Math.round((progress.done / progress.total) * 100)}%`;
  if (status === "embedding" && progress?.total > 0) return `${word} ${progress.done} of ${progress.total}`;
  return word;
}

function stateLine(document) {
  const { pages, chunks, size, status } = document;
  const read = status === "ready" ? [pages && plural(pages, "page"), chunks && plural(chunks, "passage")].filter(Boolean) : [];
  const facts = read.length ? read : [size && fileSize(size)].filter(Boolean);
  const word = el("span", { class: "state-word" }, status === "ready" && icon("check"), stageWords(document));
  return [word, ...facts.map((fact) => el("span", {}, fact))];
}

function failure(error) {
  if (!error) return "It could not be read.";
  return [error.message, error.hint].filter(Boolean).map((part) => (/[.!?]$/.test(part) ? part : `${part}.`)).join(" ");
}

function extension(filename) {
  const found = /\.([a-z0-9]{1,8})$/i.exec(filename)?.[1].toLowerCase() ?? "file";
  return { markdown: "md", htm: "html" }[found] ?? found.slice(0, 4);
}
