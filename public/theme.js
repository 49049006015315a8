// Runs before the first paint, so that a chosen theme never flashes its opposite. A file of its own: the page's policy allows no inline script.
try {
  const chosen = localStorage.getItem("docent.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be switched off; the system's preference holds then.
}
