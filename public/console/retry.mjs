// The button that tries again. After a refusal that names a time it counts down first, and can be pressed when the time is over.
import { el, icon } from "./dom.mjs";

/** Longer waits are told by the server's own sentence: nobody watches a count of hours. */
const LONGEST_COUNT = 3600;

export function retryButton(problem, retry) {
  const words = el("span", {}, "Try again");
  const button = el("button", { type: "button", class: "quiet", onclick: retry }, icon("retry"), words);
  const seconds = problem.retryAfter;
  if (problem.status !== 429 || !(seconds > 0) || seconds > LONGEST_COUNT) return button;
  const until = Date.now() + seconds * 1000;
  const show = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.disabled = left > 0;
    words.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    if (left <= 0) clearInterval(timer);
  };
  const timer = setInterval(show, 250);
  show();
  return button;
}
