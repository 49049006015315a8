// The conversation: questions and their answers, as they arrive, fail, go on after a reload, and are kept for this tab.
import { Answer, newTurn, questionBubble } from "./answer.mjs";
import { el, newId } from "./dom.mjs";
import { Problem } from "./problem.mjs";
import { chunks } from "./stream.mjs";
import { countdown } from "./wait.mjs";

/** What a tab keeps; the oldest turns go first. */
const MOST_TURNS = 30;
const MOST_KEPT = 400_000;

/** Sends `change`, `busy` {busy}, `wait` {waiting}, `draft` {text}, `say` {text}, `source` {source, sources, opener} and `grow`. */
export class Conversation extends EventTarget {
  thread;
  #t;
  #api;
  #keep;
  #id;
  #turns = [];
  #abort = null;
  #leaving = false;

  constructor(t, { api, keep }) {
    super();
    this.#t = t;
    this.#api = api;
    this.#keep = keep;
    this.thread = el("div", { class: "thread" });
    this.#restore();
    // What a reload would lose otherwise: the words that arrived since the turn began.
    addEventListener("pagehide", () => {
      this.#store();
      this.#leaving = true;
    });
    addEventListener("pageshow", () => {
      if (!this.#leaving) return;
      this.#leaving = false;
      // What the page read when it was left may come back as a broken connection, or never.
      const left = this.#abort;
      this.#running(null);
      left?.abort();
      this.resume();
    });
  }

  get started() {
    return this.#turns.length > 0;
  }

  ask(question) {
    if (this.#abort) return;
    const turn = newTurn(question);
    this.#turns.push(turn);
    this.#draw(turn);
    this.#tell("change");
    this.#run(turn);
  }

  /** The reader wants no more of it. Where answers go on without a reader, the server is told as well. */
  stop() {
    this.#abort?.abort();
    if (this.#abort) this.#api.stop(this.#id).catch(() => {});
  }

  reset() {
    this.stop();
    this.#turns = [];
    this.#id = newId("chat_");
    this.thread.replaceChildren();
    this.#store();
    this.#tell("change");
  }

  /** Makes room for another person. Gives what they asked before they were known, and the server has not. */
  forget() {
    const last = this.#abort && this.#turns.at(-1);
    this.reset();
    return last && !last.begun ? last.question : "";
  }

  #draw(turn) {
    turn.answer = this.#answer(turn);
    this.thread.append(questionBubble(this.#t, turn.question), turn.answer.element);
  }

  #answer(turn) {
    const answer = new Answer(this.#t);
    answer.addEventListener("grow", () => this.#tell("grow"));
    answer.addEventListener("again", () => this.#again(turn));
    answer.addEventListener("copy", () => this.#copy(answer));
    answer.addEventListener("rate", ({ detail }) => this.#rate(answer, detail.rating));
    answer.addEventListener("source", ({ detail }) => this.#tell("source", { ...detail, sources: answer.sources.filter((source) => answer.cited.has(source.number)) }));
    return answer;
  }

  /** `open` gives the response to read: of a new question, or of one that a reload has left behind. */
  async #run(turn, open = (signal) => this.#api.ask(this.#request(turn), signal)) {
    const { answer } = turn;
    const abort = new AbortController();
    this.#running(abort);
    try {
      const response = await open(abort.signal);
      if (!response) {
        await this.#recall(turn);
        return;
      }
      turn.begun = true;
      this.#store();
      for await (const chunk of chunks(response.body)) answer.take(chunk);
      if (answer.state === "finished") this.#tell("say", { text: `${this.#t("answer")}: ${answer.text.replace(/\[\d{1,3}\]|[*`#]/g, "")}` });
    } catch (error) {
      // A browser may cut the stream of a page that it leaves, before it stops the page's code.
      if (this.#leaving || this.#abort !== abort) return;
      if (error.name === "AbortError") answer.stop();
      else this.#failed(turn, Problem.of(error));
    } finally {
      if (!this.#leaving) this.#store();
      if (this.#abort === abort) this.#running(null);
      this.#tell("grow");
    }
  }

  /** What became of an answer that runs no more: it came to its end in the meantime, or it is lost. */
  async #recall({ question, answer }) {
    const messages = await this.#api.recall(this.#id).catch((error) => (error.code === "not_found" ? [] : Promise.reject(error)));
    const [asked, told] = messages.slice(-2);
    const whole = asked?.role === "user" && asked.text === question && ["complete", "refused"].includes(told?.state);
    if (!whole) throw new Problem("stream_cut");
    answer.recall(told);
  }

  /** A question that was stored gets another answer; one that never arrived is asked. */
  #request({ id, question, begun }) {
    return { id: this.#id, message: { id, role: "user", parts: [{ type: "text", text: question }] }, trigger: begun ? "regenerate-message" : "submit-message" };
  }

  #failed(turn, problem) {
    const { answer } = turn;
    if (problem.text !== "limited") answer.fail(problem, el("p", {}, this.#t(problem.text)));
    else {
      this.#tell("wait", { waiting: true });
      const sentence = countdown(this.#t, problem.wait, () => {
        if (again) again.disabled = false;
        this.#tell("wait", { waiting: false });
      });
      const again = answer.fail(problem, sentence);
      if (again) again.disabled = true;
    }
    // For the site's owner: the sentence on the page is for its visitors.
    console.warn(`docent: ${problem.code}: ${problem.message}${problem.code === "unreachable" ? `. If the network is fine, is ${location.origin} among the publishable token's origins?` : ""}`);
    if (!answer.text) this.#tell("draft", { text: turn.question });
  }

  #again(turn) {
    if (this.#abort) return;
    // The server answers its last question again; an older one is asked anew.
    if (turn !== this.#turns.at(-1)) return this.ask(turn.question);
    const old = turn.answer.element;
    turn.answer = this.#answer(turn);
    old.replaceWith(turn.answer.element);
    this.#tell("again", { text: turn.question });
    this.#run(turn);
  }

  async #copy(answer) {
    const text = answer.text.replace(/ ?\[\d{1,3}\]/g, "");
    await navigator.clipboard.writeText(text).then(() => this.#tell("say", { text: this.#t("copied"), shown: true }), () => {});
  }

  async #rate(answer, rating) {
    const before = answer.rating;
    answer.rate(rating);
    try {
      await this.#api.rate(this.#id, answer.id, rating);
      this.#store();
      if (rating) this.#tell("say", { text: this.#t("thanks"), shown: true });
    } catch {
      answer.rate(before);
      this.#tell("say", { text: this.#t("unrated"), shown: true });
    }
  }

  #running(abort) {
    this.#abort = abort;
    this.#tell("busy", { busy: abort !== null });
  }

  #restore() {
    const kept = this.#keep.read("session", "conversation");
    this.#id = typeof kept?.id === "string" ? kept.id : newId("chat_");
    for (const { answer, ...turn } of Array.isArray(kept?.turns) ? kept.turns : []) {
      this.#turns.push(turn);
      this.#draw(turn);
      turn.answer.restore(answer);
    }
  }

  /** Goes on with the answer that a reload has cut, where the server still has it; called once somebody listens. */
  resume() {
    const turn = this.#turns.at(-1);
    if (this.#abort || turn?.answer.state !== "growing") return;
    this.#run(turn, async (signal) => {
      const response = await this.#api.resume(this.#id, signal);
      if (response) turn.answer.clear();
      return response;
    });
  }

  #store() {
    const kept = [];
    let size = 0;
    for (const { answer, ...turn } of this.#turns.slice(-MOST_TURNS).reverse()) {
      const one = { ...turn, answer: answer.stored };
      size += JSON.stringify(one).length;
      if (kept.length && size > MOST_KEPT) break;
      kept.unshift(one);
    }
    this.#keep.write("session", "conversation", kept.length ? { id: this.#id, turns: kept } : null);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
