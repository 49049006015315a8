// The documents' column: the list, the drop zone, and every document that is on its way.
import { Problem } from "./api.mjs";
import { confirmed } from "./ask-first.mjs";
import { announce, newId, plain } from "./dom.mjs";
import { DocumentRow, stageWords } from "./document-row.mjs";
import { dropZone } from "./drop.mjs";
import { upload } from "./upload.mjs";
import { settled, watch } from "./watch.mjs";

const PAGE_SIZE = 50;
const LOST = "Its text, passages and vectors are removed. Answers already given keep their quotes.";
const MAX_UPLOADS = 2;
// The same bytes would fail the same way: here only another file helps.
const FINAL_ERRORS = new Set(["unsupported_type", "empty_file", "too_large", "encrypted", "corrupt", "no_text_layer", "limit_exceeded"]);
const find = (selector) => document.querySelector(selector);

/** Sends `change` whenever a document comes, goes or moves to another state. */
export class Documents extends EventTarget {
  #api;
  #entries = new Map();
  #cursor = null;
  #queue = [];
  #running = 0;
  #list = find("#document-list");
  #more = find("#documents-more");
  #problem = find("#documents-problem");

  constructor(api) {
    super();
    this.#api = api;
    dropZone(find("#drop"), find("#files"), find("#drop-veil"), (files) => this.add(files));
    this.#more.addEventListener("click", () => this.#page());
  }

  get all() {
    return [...this.#entries.values()].map((entry) => entry.document);
  }

  async load() {
    this.clear();
    await this.#page();
  }

  clear() {
    for (const entry of this.#entries.values()) entry.abort.abort();
    this.#entries.clear();
    this.#queue.length = 0;
    this.#list.replaceChildren();
    this.#cursor = null;
    this.#changed();
  }

  add(files) {
    this.#problem.textContent = "";
    for (const file of files) {
      const id = newId("local_");
      const document = { id, filename: file.name, size: file.size, status: "uploading", progress: { done: 0, total: 0 }, chunks: 0, pages: null };
      const entry = this.#entry(document, file);
      this.#list.prepend(entry.row.element);
      this.#queue.push(entry);
    }
    this.#changed();
    this.#next();
  }

  async #page() {
    try {
      const cursor = this.#cursor ? `&cursor=${encodeURIComponent(this.#cursor)}` : "";
      const page = await this.#api.json(`/api/documents?limit=${PAGE_SIZE}${cursor}`);
      for (const document of page.documents) this.#adopt(document);
      this.#cursor = page.nextCursor;
      this.#problem.textContent = "";
    } catch (error) {
      this.#problem.textContent = Problem.of(error).sentence;
    }
    this.#more.hidden = !this.#cursor;
    this.#changed();
  }

  #adopt(document) {
    if (this.#entries.has(document.id)) return;
    const entry = this.#entry(document, null);
    this.#list.append(entry.row.element);
    if (!settled(document)) this.#follow(entry);
  }

  #entry(document, file) {
    const entry = { document, file, abort: new AbortController() };
    entry.row = new DocumentRow({ onRemove: () => this.#remove(entry), onRetry: () => this.#again(entry) });
    entry.row.draw(document, mayRetry(document));
    this.#entries.set(document.id, entry);
    return entry;
  }

  #next() {
    while (this.#running < MAX_UPLOADS && this.#queue.length > 0) {
      const entry = this.#queue.shift();
      if (entry.abort.signal.aborted) continue;
      this.#running += 1;
      this.#send(entry).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #send(entry) {
    const began = (id) => {
      this.#entries.delete(entry.document.id);
      this.#entries.set(id, entry);
      entry.document = { ...entry.document, id };
    };
    const progress = (share) => this.#update(entry, { progress: { done: share, total: 1 } });
    try {
      const { documentId, status } = await upload(this.#api, entry.file, { began, progress, signal: entry.abort.signal });
      if (documentId !== entry.document.id) began(documentId);
      this.#update(entry, { status, progress: { done: 0, total: 0 } });
      this.#follow(entry);
    } catch (error) {
      if (error.name === "AbortError") return;
      const { code, detail, hint } = Problem.of(error);
      this.#update(entry, { status: "failed", error: { code, message: detail, hint } });
    }
  }

  #follow(entry) {
    watch(this.#api, entry.document.id, (document) => this.#update(entry, document), entry.abort.signal);
  }

  #update(entry, change) {
    const before = entry.document;
    entry.document = { ...before, ...change };
    if (entry.document.status === "deleted") return this.#drop(entry);
    entry.row.draw(entry.document, mayRetry(entry.document));
    if (before.status === entry.document.status) return;
    announce(`${entry.document.filename}: ${stageWords(entry.document)}`);
    this.#changed();
  }

  #again(entry) {
    if (!entry.file) return this.#redrive(entry);
    this.#drop(entry);
    if (!entry.document.id.startsWith("local_")) this.#forget(entry.document.id);
    this.add([entry.file]);
    find("#drop").focus();
  }

  /** The bytes are in the bucket already: only the work on them begins again. */
  async #redrive(entry) {
    try {
      const document = await this.#api.json(`/api/documents/${encodeURIComponent(entry.document.id)}/redrive`, { method: "POST" });
      this.#update(entry, { ...document, error: null });
      this.#follow(entry);
      find("#drop").focus();
    } catch (error) {
      this.#problem.textContent = Problem.of(error).sentence;
    }
  }

  async #remove(entry) {
    const { id, filename, status } = entry.document;
    if (status !== "uploading" && status !== "failed" && !(await confirmed({ title: `Delete ${plain(filename)}?`, text: LOST }))) return;
    try {
      if (!id.startsWith("local_")) await this.#api.request(`/api/documents/${encodeURIComponent(id)}`, { method: "DELETE" });
    } catch (error) {
      if (error.status !== 404) {
        this.#problem.textContent = Problem.of(error).sentence;
        return;
      }
    }
    this.#drop(entry);
    announce(`${filename}: deleted`);
    find("#drop").focus();
  }

  /** The half-sent try is replaced by a new one; when it cannot be deleted now, the server's sweep takes it. */
  #forget(id) {
    this.#api.request(`/api/documents/${encodeURIComponent(id)}`, { method: "DELETE" }).catch(() => {});
  }

  #drop(entry) {
    entry.abort.abort();
    entry.row.element.remove();
    this.#entries.delete(entry.document.id);
    this.#changed();
  }

  #changed() {
    const count = this.#entries.size ? `${this.#entries.size}${this.#cursor ? "+" : ""}` : "";
    for (const badge of [find("#documents-count"), find("#switch-count")]) badge.textContent = count;
    this.dispatchEvent(new Event("change"));
  }
}

function mayRetry({ status, error }) {
  return status === "failed" && !FINAL_ERRORS.has(error?.code);
}
