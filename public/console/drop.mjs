// The drop zone: a button for hands and keyboards, and the whole window for files that are dragged in.
import { icon } from "./dom.mjs";

export function dropZone(button, input, veil, take) {
  button.querySelector(".drop-icon").append(icon("upload"));
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take([...input.files]);
    // Cleared, so that choosing the same file again is a change again.
    input.value = "";
  });

  // dragenter and dragleave fire for every element that is crossed; only their balance tells whether the pointer has left.
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const here = (event) => carriesFiles(event) && !button.closest("[hidden]") && document.querySelector("#main").dataset.page === "ask";
  addEventListener("dragenter", (event) => here(event) && over(1));
  addEventListener("dragleave", (event) => here(event) && over(-1));
  addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    // Anywhere else the browser would open the file in place of the console, and what was typed would be gone.
    if (carriesFiles(event)) event.preventDefault();
    if (!here(event)) return;
    over(-depth);
    take([...event.dataTransfer.files]);
  });
}
