// The widget itself, from the file that sites embed, with settings that nobody has saved yet. Questions asked in it are really answered.
import { el } from "./dom.mjs";
import * as kept from "./kept.mjs";

const PAUSE_MS = 250;

export function preview(api, bot) {
  const stage = el("div", { class: "stage", dir: "ltr" }, el("p", { class: "muted small stage-words", "aria-hidden": "true" }, "Your page"));
  const problem = el("p", { class: "problem", role: "alert" });
  const element = el("section", { class: "preview", "aria-label": "Preview" },
    el("div", { class: "field-head" }, el("h3", { tabindex: "-1" }, "Preview"), el("span", { class: "muted small" }, "as you type")), stage, problem,
    el("p", { class: "muted small" }, "Ask it something: the answer comes from the bot as it is saved, and counts as any other question."));
  let timer = 0;
  let last = "";
  const show = (settings) => {
    const text = JSON.stringify(settings);
    clearTimeout(timer);
    if (text === last) return;
    timer = setTimeout(() => draw(settings, text), last ? PAUSE_MS : 0);
  };
  const draw = async (settings, text) => {
    try {
      // For its element alone: a module has no current script, so nothing is placed by itself.
      await import("../widget.js");
    } catch {
      problem.textContent = "The widget's file could not be fetched, so there is no preview. Reload the page; what you save is saved all the same.";
      return;
    }
    last = text;
    const chat = document.createElement("docent-chat");
    chat.preview = { bot, settings, token: api.token };
    if (settings.widget.theme === "auto") chat.setAttribute("theme", document.documentElement.dataset.theme ?? "auto");
    stage.querySelector("docent-chat")?.remove();
    stage.append(chat);
  };
  kept.keep(`docent.${bot.slice(-12)}.open`, "true");
  /** On a narrow screen it stands below the settings. */
  const see = () => {
    element.scrollIntoView({ block: "start" });
    element.querySelector("h3").focus({ preventScroll: true });
  };
  return { element, show, see };
}
