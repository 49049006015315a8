// A bot's own name, texts and looks. Whatever the server says is checked here: a wrong value is left out, never shown.
import { palette } from "./colour.mjs";
import { plain } from "./dom.mjs";

export const CORNERS = ["bottom-right", "bottom-left", "top-right", "top-left"];
const THEMES = ["auto", "light", "dark"];
/** As the server limits them, see `shared/app/src/bots/widget/mod.rs`. */
const LONGEST_TEXT = 1000;
const MOST_SUGGESTIONS = 8;

/** From `GET /api/widget/{bot}` (or null), with the tag's own attributes before it. */
export function settings(served, own) {
  const widget = served?.widget ?? {};
  const one = (name, allowed) => [own[name], widget[name]].find((value) => allowed.includes(value)) ?? allowed[0];
  const suggestions = Array.isArray(served?.suggestions) ? served.suggestions : [];
  return {
    name: text(widget.title) ?? text(served?.name),
    greeting: text(served?.greeting),
    placeholder: text(widget.placeholder),
    launcher: text(widget.launcher),
    suggestions: suggestions.map(text).filter(Boolean).slice(0, MOST_SUGGESTIONS),
    language: text(served?.language),
    position: one("position", CORNERS),
    theme: one("theme", THEMES),
    palette: palette(own.color) ?? palette(widget.color),
  };
}

function text(value) {
  const found = typeof value === "string" ? plain(value).trim() : "";
  return found ? found.slice(0, LONGEST_TEXT) : null;
}
