import { createServer, type TLSSocket } from "node:tls";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import type { TestCertificates } from "../support/in_process/test_certificates.ts";
import { directFloodScript, directScript } from "./direct_scripts.ts";
import { http2ServerScript } from "./http2_scripts.ts";
import { garbageScript } from "./http1_scripts.ts";
import type { Random } from "./random.ts";
import { play } from "./script.ts";

/** A server that agents connect to and that plays scripts on each link. */
export interface HostileServer extends AsyncDisposable {
  /** Links that have come so far. */
  readonly links: number;
}

/** Where hostile servers listen: agents have one port for all of their servers. */
export const hostileAddress = "127.0.0.2";

/**
 * Starts one on {@link hostileAddress}.
 * @param port the port of the agent's other server
 * @param next the random numbers of the next link
 * @param addresses destinations that answer
 */
export async function startHostileServer(
  port: number,
  { ca }: TestCertificates,
  addresses: readonly string[],
  next: () => Random,
): Promise<HostileServer> {
  let links = 0;
  const sockets = new Set<TLSSocket>();
  const keyKind = "p-256";
  const leaf = { commonName: "hostile server", usages: ["server"], addresses: [hostileAddress], keyKind } as const;
  const { certPem, keyPem } = await issueLeaf(ca, leaf);
  const server = createServer({
    ca: ca.certPem,
    cert: certPem,
    key: keyPem,
    requestCert: true,
    ALPNProtocols: ["konnectivity-link/1", "h2"],
  }, (socket) => {
    links++;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const random = next();
    const metadata = {
      serverid: random.chance(0.8) ? `hostile-${random.below(3)}` : "",
      servercount: random.chance(0.8) ? "2" : random.pick(["0", "-1", "x", "99999999999", ""]),
      ...(random.chance(0.7) ? { "konnectivity-features": "window,half-close" } : {}),
    };
    const script = random.chance(0.05)
      ? garbageScript(random)
      : socket.alpnProtocol === "h2"
      ? http2ServerScript(random, { addresses, metadata: Object.entries(metadata) })
      : random.chance(0.1)
      ? directFloodScript(random, metadata)
      : directScript(random, metadata, addresses);
    play(socket, script);
  });
  server.on("tlsClientError", (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(port, hostileAddress, resolve));
  return {
    get links() {
      return links;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
