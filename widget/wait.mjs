// A sentence that counts down to the moment when one may ask again.
import { el } from "./dom.mjs";

/** `done` is called when the time is over. Screen readers hear the beginning and the end, not every second. */
export function countdown(t, seconds, done) {
  const until = Date.now() + seconds * 1000;
  const time = el("span", { class: "time" });
  const sentence = el("p", {});
  const left = () => Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const show = () => {
    const now = left();
    if (now === 0) {
      clearInterval(timer);
      sentence.replaceChildren(t("ready"));
      done();
      return;
    }
    const told = t.seconds(now);
    if (time.textContent !== told) time.textContent = told;
  };
  const [before, after] = t("limited", { time: "\u0000" }).split("\u0000");
  sentence.append(before, time, after);
  // A live region reads out what changes in it, unless that is marked as quiet.
  time.setAttribute("aria-live", "off");
  time.textContent = t.seconds(left() || 1);
  const timer = setInterval(show, 250);
  return sentence;
}
