// What a page gives its chat, whatever the SDK's major: in Node and, bundled, in the browser.

/** `shape: "last"` is the documented variant in which the server keeps the history. `ended` is told how each request ended. */
export function settings({ DefaultChatTransport }, { url = "", id, token, body = {}, shape = "all" }, ended) {
  const last = ({ id, messages, trigger, messageId, body }) => ({ body: { ...body, id, message: messages.at(-1), trigger, messageId } });
  const transport = new DefaultChatTransport({
    api: `${url}/api/chat`,
    headers: { authorization: `Bearer ${token}` },
    body,
    ...(shape === "last" && { prepareSendMessagesRequest: last }),
  });
  const onFinish = ({ finishReason, isAbort, isDisconnect, isError }) => ended({ finishReason, isAbort, isDisconnect, isError });
  return { id, transport, onFinish };
}
