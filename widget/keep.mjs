// What a reload keeps: the visitor for this browser, the conversation and the draft for this tab. A browser that keeps nothing loses only that.

export class Keep {
  #name;
  #memory = new Map();

  /** `name` tells two widgets of one site apart. */
  constructor(name) {
    this.#name = `docent.${name}.`;
  }

  /** `area`: "local" for the browser, "session" for the tab. */
  read(area, key) {
    const at = this.#name + key;
    try {
      return JSON.parse(globalThis[`${area}Storage`].getItem(at)) ?? this.#memory.get(at) ?? null;
    } catch {
      return this.#memory.get(at) ?? null;
    }
  }

  write(area, key, value) {
    const at = this.#name + key;
    this.#memory.set(at, value);
    try {
      const storage = globalThis[`${area}Storage`];
      if (value === null) storage.removeItem(at);
      else storage.setItem(at, JSON.stringify(value));
    } catch {
      // Switched off, full or forbidden: memory holds it for as long as the page lives.
    }
  }
}
