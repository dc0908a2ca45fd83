import { Agent, createServer, request as send } from 'node:http';

/**
 * A proxy on loopback that passes requests on byte by byte, signatures included, and notes method, path and bytes of the answer's body of each. What it
 * notes is what a service would be paid for, whatever a client says of itself.
 *
 * @param {string | undefined} target where requests go; may be set later, for a server that has to know the proxy first
 */
export async function startCountingProxy(target) {
  /** @type {{ method: string, path: string, answerBytes: number }[]} */
  let seen = [];
  // A connection that ends while nobody uses it is a lost request for whoever begins just then, and that one would be counted twice.
  const agent = new Agent({ keepAlive: false });
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    const { method = '', url: path = '', headers } = incoming;
    const noted = { method, path, answerBytes: 0 };
    seen.push(noted);
    const onward = send(new URL(path, proxy.target), { method, headers, agent }, (back) => {
      outgoing.writeHead(back.statusCode ?? 502, back.headers);
      back.on('data', (piece) => {
        noted.answerBytes += piece.length;
      });
      back.pipe(outgoing);
    });
    onward.on('error', () => incoming.socket.destroy());
    incoming.on('close', () => incoming.complete || onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  const proxy = {
    target,
    url: `http://127.0.0.1:${address.port}`,
    /** The requests since it was asked last. */
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
  return proxy;
}
