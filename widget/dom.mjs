// The widget's elements: made as the console's are, from text nodes only, with glyphs of its own.

import { el, newId, plain } from "../public/console/dom.mjs";

export { el, newId, plain };

const PATHS = {
  chat: "M5.5 4.5h13a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H12l-4.5 3.8v-3.8h-2a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2ZM8 9h8M8 12.2h5",
  down: "M6 9.5l6 6 6-6",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  restart: "M4.5 12a7.5 7.5 0 1 0 2.3-5.4M4.5 3.8v4h4",
  send: "M12 19V6m0 0-5.5 5.5M12 6l5.5 5.5",
  stop: "M8 8h8v8H8z",
  alert: "M12 8v5M12 16.2v.1M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17",
  up: "M7.5 10.5v9h-3v-9zM7.5 11l4-7.5c1.6 0 2.4 1.1 2.1 2.6l-.7 3.4h5.2a1.8 1.8 0 0 1 1.8 2.2l-1.3 6a2 2 0 0 1-2 1.6H7.5",
  nay: "M16.5 13.5v-9h3v9zM16.5 13l-4 7.5c-1.6 0-2.4-1.1-2.1-2.6l.7-3.4H5.9a1.8 1.8 0 0 1-1.8-2.2l1.3-6a2 2 0 0 1 2-1.6h9.1",
  copy: "M9 9h9.5v10.5H9zM6 15H5V4.5h9.5v1.5",
  check: "M5.5 12.5l4.5 4.5 8.5-9.5",
  left: "M14.5 6l-6 6 6 6",
  right: "M9.5 6l6 6-6 6",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `glyph g-${name}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows only a glyph. */
export function glyphButton(name, label, onclick, attributes = {}) {
  return el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...attributes }, icon(name));
}
