// The AI SDK's own chat in Node, with plain arrays for state where a page has React's.
import { settings } from "./settings.mjs";
import { wireTo } from "./wire.mjs";
import { until } from "./world.mjs";

export function nodeClient(name, sdk, docent) {
  class Chat extends sdk.AbstractChat {
    constructor(init) {
      super({ ...init, state: plainState() });
    }
  }
  async function open(options) {
    const endings = [];
    const wire = await wireTo(docent.url);
    const chat = new Chat(settings(sdk, { url: wire.url, token: docent.token, ...options }, (ending) => endings.push(ending)));
    const state = async () => structuredClone({ status: chat.status, error: chat.error && { name: chat.error.name, message: chat.error.message }, messages: chat.messages, endings });
    if (options.resume) chat.resumeStream();
    return {
      id: chat.id,
      state,
      send: (message) => chat.sendMessage(message).then(state),
      begin: async (message) => void chat.sendMessage(message),
      regenerate: () => chat.regenerate().then(state),
      stop: () => chat.stop().then(state),
      resume: () => chat.resumeStream().then(state),
      until: (look, what) => until(async () => look(await state()) && state(), () => what),
      disconnect: async () => wire.tear(),
      close: async () => wire.close(),
    };
  }
  // Node says "terminated" where browsers say "network error", and the SDK goes by the words.
  return { name, open, knowsDisconnects: false, doublesReplays: false };
}

function plainState() {
  return {
    status: "ready",
    error: undefined,
    messages: [],
    pushMessage(message) { this.messages = [...this.messages, message]; },
    popMessage() { this.messages = this.messages.slice(0, -1); },
    replaceMessage(index, message) { this.messages = this.messages.with(index, message); },
    snapshot: (thing) => structuredClone(thing),
  };
}
