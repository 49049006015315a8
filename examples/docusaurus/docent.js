// A Docusaurus client module: puts Docent's widget into every page, and lets it follow the site's colour mode and language.
import ExecutionEnvironment from "@docusaurus/ExecutionEnvironment";
import siteConfig from "@generated/docusaurus.config";

const { api, token, bot } = siteConfig.customFields.docent;

if (ExecutionEnvironment.canUseDOM) {
  const chat = document.createElement("docent-chat");
  const page = document.documentElement;
  const follow = () => chat.setAttribute("theme", page.dataset.theme === "dark" ? "dark" : "light");
  for (const [name, value] of Object.entries({ api, token, bot })) if (value) chat.setAttribute(name, value);
  follow();
  new MutationObserver(follow).observe(page, { attributeFilter: ["data-theme"] });

  const script = Object.assign(document.createElement("script"), { src: `${api}/widget.js`, async: true });
  document.head.append(script);
  document.body.append(chat);
}

/** Closes a window that would lie over the page that somebody went to on a phone. */
export function onRouteDidUpdate({ location, previousLocation }) {
  if (previousLocation && location.pathname !== previousLocation.pathname && matchMedia("(max-width: 560px)").matches) document.querySelector("docent-chat")?.close?.();
}
