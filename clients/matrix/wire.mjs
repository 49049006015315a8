// The way from a client to a system, which can be torn in the middle of an answer as a tunnel does it.
import { connect, createServer } from "node:net";

export async function wireTo(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => (other.destroy(), sockets.delete(socket))).pipe(other);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const tear = () => sockets.forEach((socket) => socket.destroy());
  return { url: `http://127.0.0.1:${server.address().port}`, tear, close: () => (tear(), server.close()) };
}
