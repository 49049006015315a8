// One document: where it stands, what is known about it, its versions, and everything that can be done with it.
import { Problem } from "./api.mjs";
import { announce, el, fileSize, plain, plural } from "./dom.mjs";
import { stageWords } from "./document-row.mjs";
import { field, showProblem } from "./fields.mjs";
import { confirmed } from "./ask-first.mjs";
import { badge, button, failure, fill, run, table, when } from "./parts.mjs";
import { upload } from "./upload.mjs";
import { settled, watch } from "./watch.mjs";

export function open({ api, documents }) {
  const place = el("div", { class: "stack" });
  const element = el("div", {}, el("a", { class: "back", href: "#/" }, "All documents"), place);
  let abort = new AbortController();
  const show = ([id]) => {
    abort.abort();
    abort = new AbortController();
    if (!id) return (location.hash = "#/");
    place.replaceChildren();
    return fill(place, () => api.json(`/api/documents/${encodeURIComponent(id)}`), (document) => one(api, documents, document, abort.signal));
  };
  addEventListener("hashchange", () => location.hash.startsWith("#/documents/") || abort.abort());
  return { element, show };
}

function one(api, documents, first, signal) {
  const path = `/api/documents/${encodeURIComponent(first.id)}`;
  let document = first;
  const title = el("h2", { tabindex: "-1", dir: "auto" }, plain(document.filename));
  const state = el("div", { role: "status" });
  const facts = el("dl", { class: "facts known" });
  const versions = el("div");
  const place = el("div");
  const changed = (now) => {
    const was = document.status;
    document = { ...document, ...now };
    if (document.status === "deleted") return gone();
    draw();
    if (was !== document.status && settled(document)) loadVersions();
  };
  const follow = () => settled(document) || watch(api, document.id, changed, signal);
  const gone = () => (documents.load(), announce(`${document.filename}: deleted`), (location.hash = "#/"));
  const again = button("Try again", () => run(again, place, async () => {
    changed({ ...(await api.json(`${path}/redrive`, { method: "POST" })), error: null });
    follow();
  }), "primary");
  const remove = button("Delete", async () => {
    if (!(await confirmed({ title: `Delete ${plain(document.filename)}?`, text: "Its text, passages and vectors are removed. Answers already given keep their quotes.", yes: "Delete" }))) return;
    if (await run(remove, place, () => api.request(path, { method: "DELETE" }))) gone();
  }, "plain bad");
  const chosen = el("input", { type: "file", hidden: true, "aria-label": "The new version", onchange: () => send(chosen.files[0]) });
  const add = button("Add a version", () => chosen.click());
  /** Of several documents of one name the server takes the newest. */
  const mine = (id) => {
    if (id !== document.id) throw new Problem({ code: "other_document", detail: `Another document is called ${document.filename}, too, and is newer`, hint: "Rename one of them, or add the version there" });
  };
  const send = (file) => run(add, place, async () => {
    chosen.value = "";
    // By its name the server knows of which document it is one.
    const named = new File([file], document.filename, { type: file.type });
    const more = { onDuplicate: "version", collectionId: document.collectionId };
    const { status } = await upload(api, named, { began: mine, progress: (share) => (add.textContent = `Sending ${Math.round(share * 100)}%`), signal, more });
    announce("The new version is there. Readers keep the one before until it is ready.");
    changed({ status });
    follow();
    loadVersions();
  }).finally(() => (add.textContent = "Add a version"));
  const restore = (version) => {
    const press = button("Restore", () => run(press, place, async () => {
      await api.json(`${path}/restore`, { method: "POST", json: { version } });
      announce(`Version ${version} is being brought back. Readers keep what they have until it is ready.`);
      changed(await api.json(path));
      follow();
      loadVersions();
    }), "plain", { "aria-label": `Restore version ${version}` });
    return press;
  };
  const loadVersions = () => fill(versions, () => api.json(`${path}/versions`), ({ versions: all }) => [table("Versions of this document", ["Version", "Received", { number: "Size" }, "Note", "Bring back"], all.map((each) => [String(each.version), when(each.receivedAt) || "not yet", fileSize(each.size), [each.current && badge("Readers see it", "good"), each.restores && `the bytes of version ${each.restores}`].filter(Boolean), each.current || !each.receivedAt ? "" : restore(each.version)]))]);
  const draw = () => {
    const { status, error, pages, chunks, size, collectionId, sourceUrl, createdAt, updatedAt, metadata, contentType } = document;
    again.hidden = status !== "failed";
    state.replaceChildren(...[badge(stageWords(document), status === "ready" ? "good" : status === "failed" ? "bad" : ""), error && failureOf(error)].filter(Boolean));
    const rows = [["Size", fileSize(size)], ["Pages", pages && plural(pages, "page")], ["Passages", chunks ? plural(chunks, "passage") : ""], ["Type", contentType], ["Address", sourceUrl], ["Collection", collectionId], ["Metadata", metadata && Object.keys(metadata).length ? JSON.stringify(metadata) : ""], ["Added", when(createdAt)], ["Changed", when(updatedAt)], ["Id", document.id]];
    facts.replaceChildren(...rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)]));
  };
  draw();
  follow();
  loadVersions();
  return [el("header", { class: "page-head" }, title, el("div", { class: "page-actions" }, again, remove)), state, place,
    el("div", { class: "columns" }, el("section", { class: "panel", "aria-label": "Versions" }, el("h3", {}, "Versions"), el("p", { class: "muted" }, "The newest is read by everybody once it is ready. Of older ones the last few are kept."), versions, el("div", { class: "item-actions" }, add, chosen), renameForm(api, path, document, (now) => changed(now))), el("section", { class: "panel", "aria-label": "Facts" }, el("h3", {}, "Facts"), facts))];
}

function failureOf({ code, message, hint }) {
  return failure(new Problem({ code, detail: message, hint }));
}

function renameForm(api, path, document, changed) {
  const title = field("title", "Title", { most: 500, hint: "What answers call it. Empty: what the file itself says." });
  title.write(document.title ?? "");
  const place = el("div");
  const submit = el("button", { type: "submit", class: "plain" }, "Save the title");
  const form = el("form", { novalidate: true, "aria-label": "Title of this document", class: "stack" }, title.element, place, el("div", { class: "item-actions" }, submit));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      changed(await api.json(path, { method: "PATCH", json: { title: title.read().trim() || null } }));
      announce("The title is saved.");
    } catch (error) {
      showProblem(error, [title], place, () => form.requestSubmit());
    } finally {
      submit.disabled = false;
    }
  });
  return form;
}
