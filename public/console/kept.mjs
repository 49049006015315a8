// What this tab keeps over a reload. A browser that keeps nothing loses only that: memory holds it for as long as the page lives.

const memory = new Map();

export function read(key) {
  try {
    return sessionStorage.getItem(key) ?? memory.get(key) ?? null;
  } catch {
    return memory.get(key) ?? null;
  }
}

/** Null forgets. */
export function keep(key, text) {
  if (text === null) memory.delete(key);
  else memory.set(key, text);
  try {
    if (text === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  } catch {
    // Switched off, full or forbidden.
  }
}
