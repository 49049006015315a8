// Merge into your docusaurus.config.js.
export default {
  clientModules: ["./src/docent.js"],
  customFields: {
    docent: {
      api: "https://docent.example",
      // Publishable: it can only let visitors in, from the origins that it names.
      token: "docent_pk_…",
      // The bot's id; leave it out for the token's own.
      bot: undefined,
    },
  },
};
