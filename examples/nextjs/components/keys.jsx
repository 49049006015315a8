// Provider keys: sealed by Docent on arrival, shown by their last four characters alone. A key and a model make the bot speak with it.
"use client";

import { useEffect, useState } from "react";
import { call } from "./docent";

const PROVIDERS = { openai: "gpt-4o-mini", anthropic: "claude-sonnet-4-5", gemini: "gemini-2.5-flash", mistral: "mistral-small-latest", groq: "llama-3.3-70b-versatile", openrouter: "openai/gpt-4o-mini" };

export default function Keys({ told }) {
  const [keys, setKeys] = useState([]);
  const [provider, setProvider] = useState("openai");
  const [model, setModel] = useState(PROVIDERS.openai);
  const [key, setKey] = useState("");
  const [note, setNote] = useState("");
  const load = () => call("/api/keys").then((list) => setKeys(list.keys), (error) => setNote(told(error)));
  useEffect(() => void load(), []);

  async function save(event) {
    event.preventDefault();
    try {
      const saved = await call(`/api/keys/${provider}`, { method: "PUT", json: { key } });
      const { bots } = await call("/api/bots");
      const bot = bots.find(({ isDefault }) => isDefault) ?? bots[0];
      if (bot) await call(`/api/bots/${bot.id}`, { method: "PATCH", json: { provider, model } });
      setKey("");
      setNote(saved.hint ?? `Saved. ${model} answers from now on.`);
    } catch (error) {
      setNote(told(error));
    }
    await load();
  }
  async function remove(name) {
    await call(`/api/keys/${name}`, { method: "DELETE" }).catch((error) => setNote(told(error)));
    await load();
  }
  return (
    <section className="keys card" aria-label="Keys">
      <p className="muted">Without a key, answers are the documents' own sentences.</p>
      <ul>
        {keys.map(({ provider: name, last4, status, hint }) => (
          <li key={name}><span className="name">{name} …{last4}</span><span className="muted">{status}{hint && `: ${hint}`}</span><button className="quiet" aria-label={`Delete the key of ${name}`} onClick={() => remove(name)}>×</button></li>
        ))}
      </ul>
      <form onSubmit={save}>
        <select aria-label="Provider" value={provider} onChange={(event) => (setProvider(event.target.value), setModel(PROVIDERS[event.target.value]))}>
          {Object.keys(PROVIDERS).map((name) => <option key={name}>{name}</option>)}
        </select>
        <input aria-label="Model" value={model} onChange={(event) => setModel(event.target.value)} required />
        <input aria-label="Key" type="password" autoComplete="off" placeholder="Key" value={key} onChange={(event) => setKey(event.target.value)} required />
        <button className="primary">Save</button>
      </form>
      <p role="status">{note}</p>
    </section>
  );
}
