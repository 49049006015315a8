// On a phone the documents and the conversation take turns; this is the switch between them. Wide screens show both.

/** Answers the function that shows one of the views by name. */
export function viewSwitch(nav, desk) {
  const show = (name) => {
    desk.dataset.view = name;
    for (const button of nav.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  };
  for (const button of nav.querySelectorAll("button")) button.addEventListener("click", () => show(button.dataset.view));
  return show;
}
