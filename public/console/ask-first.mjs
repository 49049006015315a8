// The question before something is lost.

/** Answers whether the reader wants it. `yes` and `no` are the words on the buttons. */
export function confirmed({ title, text, yes = "Delete", no = "Keep it" }) {
  const dialog = document.querySelector("#ask-first");
  dialog.querySelector("h2").textContent = title;
  dialog.querySelector("p").textContent = text;
  dialog.querySelector(".danger").textContent = yes;
  dialog.querySelector('[value="keep"]').textContent = no;
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true }));
}
