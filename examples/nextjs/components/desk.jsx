// The three rooms of the page. What one of them learns (a session that ended) is everybody's.
"use client";

import { useEffect, useState } from "react";
import Chat from "./chat";
import Documents from "./documents";
import Keys from "./keys";

export default function Desk({ name, leave }) {
  const [conversation, setConversation] = useState(null);
  const [ended, setEnded] = useState(false);
  const [keysOpen, setKeysOpen] = useState(false);
  // Kept in the address: a reload finds the same conversation, and the answer that may still be on its way.
  useEffect(() => setConversation(new URL(location.href).searchParams.get("chat") ?? begin()), []);

  function begin() {
    const id = `chat_${crypto.randomUUID?.() ?? Date.now()}`;
    history.replaceState(null, "", `?chat=${id}`);
    return id;
  }
  /** Every failure passes here: one of a session that ended is told once, above all. */
  const told = (problem) => {
    if (problem.status === 401) setEnded(true);
    return problem.message;
  };
  return (
    <div className="desk">
      <header className="bar">
        <h1>Docent</h1>
        <span className="muted who">{name}</span>
        <button className="quiet" aria-expanded={keysOpen} onClick={() => setKeysOpen(!keysOpen)}>Keys</button>
        {leave}
      </header>
      {ended && <p className="banner" role="alert">Your session has ended. <a href="/">Sign in again</a>; this page keeps what you typed until then.</p>}
      <div className="rooms">
        <Documents told={told} />
        <main className="talk">
          {keysOpen && <Keys told={told} />}
          {conversation && <Chat key={conversation} id={conversation} told={told} restart={() => setConversation(begin())} />}
        </main>
      </div>
    </div>
  );
}
