// The gate before a conversation, where the site wants to know what its visitor likes to be called.
import { el } from "./dom.mjs";

/** The server's limit, see `LONGEST_NAME` in `shared/app/src/auth/visitor.rs`. */
const LONGEST_NAME = 80;

/** `admit(name)` lets the visitor in; what it throws as a Problem is told below the field, and the name stays. */
export function nicknameGate(t, admit) {
  const problem = el("p", { class: "problem", role: "alert", id: "name-problem" });
  const field = el("input", { id: "name", autocomplete: "nickname", "aria-describedby": "name-problem", dir: "auto" });
  const button = el("button", { type: "submit", class: "primary" }, t("start"));
  const submit = async (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (!name || [...name].length > LONGEST_NAME) {
      problem.textContent = t("nameless", { n: LONGEST_NAME });
      field.focus();
      return;
    }
    button.disabled = true;
    problem.textContent = "";
    try {
      await admit(name);
    } catch (error) {
      problem.textContent = t(error.text === "limited" ? "failed" : error.text ?? "failed");
    } finally {
      button.disabled = false;
    }
  };
  return el("form", { class: "gate", novalidate: true, onsubmit: submit }, el("h3", {}, t("nickname")), el("label", { for: "name" }, t("name")), field, problem, button);
}
