// The light and dark switch. Without a choice the system's preference holds; theme.js applies a choice before the first paint.
import { icon } from "./dom.mjs";

export function themeButton(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const draw = () => {
    button.replaceChildren(icon(isDark() ? "sun" : "moon"));
    button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("docent.theme", root.dataset.theme);
    } catch {
      // Without storage the choice holds for this page only.
    }
    draw();
  });
  system.addEventListener("change", draw);
  draw();
}
