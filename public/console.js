// The console's entry: it finds the rooms of the page, gives them the one connection, and starts them when a token is known.
import { Api } from "./console/api.mjs";
import { Chat } from "./console/chat.mjs";
import { SourcePanel } from "./console/citations.mjs";
import { Documents } from "./console/documents.mjs";
import { icon } from "./console/dom.mjs";
import { Guide } from "./console/guide.mjs";
import { Pages } from "./console/pages.mjs";
import { Session } from "./console/session.mjs";
import { themeButton } from "./console/theme.mjs";
import { viewSwitch } from "./console/view.mjs";

themeButton(document.querySelector("#theme"));
const showView = viewSwitch(document.querySelector("#switch"), document.querySelector("#desk"));

const session = new Session();
const api = new Api(() => session.token, () => session.expire());
const panel = new SourcePanel(document.querySelector("#source"));
const documents = new Documents(api);
const chat = new Chat(api, panel);
const guide = new Guide(document.querySelector("#guide"), { documents, chat, showView });

document.querySelector("#rooms-toggle").append(icon("menu"));
const pages = new Pages({ api, session, documents });

session.addEventListener("open", () => {
  documents.load();
  guide.show();
  chat.focus();
  pages.show(false);
});
session.addEventListener("close", () => {
  documents.clear();
  chat.reset();
  pages.clear();
});
session.start(api);
