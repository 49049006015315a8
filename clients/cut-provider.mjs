// A chat provider that stops in the middle of its answer, cleanly and without an end marker: the fault that every
// client takes for success unless the server says otherwise.
import { createServer } from "node:http";

const chunk = (delta) => `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta }] })}\n\n`;

export async function cutProvider() {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(chunk({ role: "assistant", content: "The keeper waits " }));
      response.end(chunk({ content: "for " }));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => server.close() };
}
