// The page of the matrix: a component that uses each SDK's hook as a site would, and shows all that the hook tells it.
import { createElement, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import * as ai5 from "ai5";
import * as ai6 from "ai6";
import * as ai7 from "ai7";
import { useChat as useChat5 } from "react-ai5";
import { useChat as useChat6 } from "react-ai6";
import { useChat as useChat7 } from "react-ai7";
import { settings } from "./settings.mjs";

const MAJORS = { 5: [ai5.DefaultChatTransport, useChat5], 6: [ai6.DefaultChatTransport, useChat6], 7: [ai7.DefaultChatTransport, useChat7] };

let root;
window.show = (major, options) => {
  root = createRoot(document.body.appendChild(document.createElement("main")));
  root.render(createElement(Conversation, { major, options }));
};
window.leave = () => {
  root.unmount();
  document.querySelector("main").remove();
  window.chat = undefined;
};

function Conversation({ major, options }) {
  const [DefaultChatTransport, useChat] = MAJORS[major];
  const [endings, setEndings] = useState([]);
  const given = useMemo(() => settings({ DefaultChatTransport }, options, (ending) => setEndings((all) => [...all, ending])), []);
  const chat = useChat({ ...given, resume: options.resume });
  window.chat = chat;
  const error = chat.error && { name: chat.error.name, message: chat.error.message };
  return createElement("pre", { id: "state" }, JSON.stringify({ status: chat.status, error, messages: chat.messages, endings }));
}
