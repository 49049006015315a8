// The conversation, by an unmodified useChat: sources, stop, resume after a reload, and failures with their next step.
"use client";

import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { useEffect, useRef, useState } from "react";
import Answer from "./answer";
import { call, problemOf } from "./docent";

// `resumable`: the answer goes on without its reader, and a reload finds it again.
const transport = new DefaultChatTransport({ api: "/api/chat", body: { resumable: true } });

/** Waits for what was said before, because useChat takes its first messages only once. */
export default function Chat({ id, told, restart }) {
  const [earlier, setEarlier] = useState(null);
  useEffect(() => {
    const abort = new AbortController();
    call(`/api/conversations/${id}`, { signal: abort.signal }).then(({ messages }) => setEarlier(messages.filter(settled).map(message)), (error) => error.name !== "AbortError" && (told(error), setEarlier([])));
    return () => abort.abort();
  }, [id]);
  return earlier && <Thread id={id} earlier={earlier} told={told} restart={restart} />;
}

/** An answer on its way comes by its stream; one that failed is asked for again. */
const settled = ({ role, state }) => role === "user" || state === "complete" || state === "refused";

/** A stored message in the parts that its stream had. */
function message({ id, role, text, citations }) {
  const cited = citations ?? [];
  const sources = new Map(cited.map(({ n, filename, page, quote }) => [n, { type: "source-document", sourceId: `s${n}`, mediaType: "text/plain", title: filename, providerMetadata: { docent: { page, quote } } }]));
  return { id, role, parts: [...sources.values(), { type: "text", text }, { type: "data-citations", data: cited }] };
}

function Thread({ id, earlier, told, restart }) {
  const [text, setText] = useState("");
  const [cut, setCut] = useState(false);
  const end = useRef(null);
  const { messages, sendMessage, regenerate, status, stop, error, clearError } = useChat({
    id, transport, messages: earlier, resume: true,
    // A stream that merely stops looks like success to useChat; Docent's always say how they ended.
    onFinish: ({ isAbort, isError, finishReason, message }) => setCut(!isAbort && !isError && !finishReason && message.parts.length > 0),
  });
  const busy = status === "submitted" || status === "streaming";
  const problem = error && problemOf(error);
  const open = !busy && messages.at(-1)?.role === "user";
  useEffect(() => {
    if (error) told(problemOf(error));
  }, [error]);
  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [messages, status]);

  function ask(event) {
    event.preventDefault();
    if (busy || !text.trim()) return;
    setCut(false);
    sendMessage({ text });
    setText("");
  }
  function again() {
    setCut(false);
    clearError();
    regenerate();
  }
  async function halt() {
    await stop();
    // Leaving is not stopping where answers are resumable.
    await call(`/api/chat/${id}/stop`, { method: "POST", json: {} }).catch(() => {});
  }
  return (
    <>
      <div className="thread" role="log" aria-label="Conversation">
        {messages.length === 0 && <p className="muted empty">Add a document, then ask about it. Every answer quotes its page.</p>}
        {messages.map((one) => (one.role === "user" ? <p key={one.id} className="question">{one.parts.filter(({ type }) => type === "text").map(({ text }) => text)}</p> : <Answer key={one.id} parts={one.parts} />))}
        {status === "submitted" && <p className="muted" role="status">Looking it up…</p>}
        {(problem || cut || open) && (
          <div className="notice" role="alert">
            <p>{problem ? problem.message : cut ? "The answer broke off before its end. What arrived is kept." : "This question has no answer yet."}</p>
            <button className="quiet" onClick={again}>Ask again</button>
          </div>
        )}
        <div ref={end} />
      </div>
      <form className="composer" onSubmit={ask}>
        <textarea aria-label="Your question" placeholder="Ask your documents…" rows={1} value={text} onChange={(event) => setText(event.target.value)} onKeyDown={(event) => event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing && ask(event)} />
        {messages.length > 0 && <button type="button" className="quiet" onClick={restart}>New</button>}
        {busy ? <button type="button" className="primary" onClick={halt}>Stop</button> : <button className="primary" disabled={!text.trim()}>Ask</button>}
      </form>
    </>
  );
}
