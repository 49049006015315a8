// Documents: into the bucket by a presigned PUT with its progress, then watched until they are ready or say why not.
"use client";

import { useCallback, useEffect, useRef, useState } from "react";
import { call, upload } from "./docent";

const SETTLED = new Set(["ready", "failed"]);
const LOOK_EVERY_MS = 1_000;

export default function Documents({ told }) {
  const [documents, setDocuments] = useState(null);
  const [sending, setSending] = useState([]);
  const [problem, setProblem] = useState("");
  const field = useRef(null);
  const load = useCallback(() => call("/api/documents").then((list) => setDocuments(list.documents), (error) => setProblem(told(error))), []);
  useEffect(() => void load(), [load]);
  const moving = documents?.some(({ status }) => !SETTLED.has(status));
  useEffect(() => {
    if (!moving) return;
    const timer = setInterval(load, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [moving, load]);

  async function add(files) {
    setProblem("");
    await Promise.all([...files].map(async (file) => {
      const row = { key: `${file.name}${Math.random()}`, name: file.name, share: 0 };
      setSending((rows) => [...rows, row]);
      try {
        await upload(file, (share) => setSending((rows) => rows.map((one) => (one.key === row.key ? { ...one, share } : one))));
      } catch (error) {
        setProblem(`${file.name}: ${told(error)}`);
      }
      setSending((rows) => rows.filter((one) => one.key !== row.key));
    }));
    await load();
  }
  async function remove(id) {
    await call(`/api/documents/${id}`, { method: "DELETE" }).catch((error) => setProblem(told(error)));
    await load();
  }
  return (
    <aside className="documents" aria-label="Documents" onDragOver={(event) => event.preventDefault()} onDrop={(event) => (event.preventDefault(), add(event.dataTransfer.files))}>
      <button className="drop" onClick={() => field.current.click()}>Add documents<span className="muted">Drop here, or press to choose</span></button>
      <input ref={field} type="file" multiple hidden aria-label="Documents to add" onChange={(event) => (add(event.target.files), (event.target.value = ""))} />
      {problem && <p className="problem" role="alert">{problem}</p>}
      <ul>
        {sending.map(({ key, name, share }) => (
          <li key={key}><span className="name">{name}</span><progress aria-label={`Uploading ${name}`} value={share} /></li>
        ))}
        {documents?.map(({ id, filename, status, pages, error }) => (
          <li key={id} data-status={status}>
            <span className="name">{filename}</span>
            <span className="muted">{status}{status === "ready" && pages ? `, ${pages} ${pages === 1 ? "page" : "pages"}` : ""}</span>
            {error && <span className="problem">{error.message} {error.hint}</span>}
            <button className="quiet" aria-label={`Delete ${filename}`} onClick={() => remove(id)}>×</button>
          </li>
        ))}
      </ul>
      {documents?.length === 0 && sending.length === 0 && <p className="muted">PDF, Word, Markdown, HTML, text, CSV and more.</p>}
    </aside>
  );
}
