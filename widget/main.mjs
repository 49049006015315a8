// The tag's entry: <script src="https://…/widget.js" data-token="docent_pk_…" data-bot="…" async></script> puts one <docent-chat> at the end of the page.
import { DocentChat } from "./element.mjs";

// A module or a bundler leaves no current script behind; such a page writes <docent-chat api="…" token="…"> itself.
const script = document.currentScript;
if (!customElements.get("docent-chat")) customElements.define("docent-chat", DocentChat);
if (script?.dataset.token) place(script);

/** Once for each token, however often a site that draws itself runs the tag. */
function place(script) {
  const chat = document.createElement("docent-chat");
  chat.setAttribute("api", script.dataset.api ?? new URL(script.src).origin);
  for (const [name, value] of Object.entries(script.dataset)) if (name !== "api") chat.setAttribute(name, value);
  const put = () => [...document.querySelectorAll("docent-chat")].some((other) => other.getAttribute("token") === script.dataset.token) || document.body.append(chat);
  if (document.body) put();
  else addEventListener("DOMContentLoaded", put, { once: true });
}
