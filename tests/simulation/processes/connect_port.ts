import type { ConnectBindings } from "../../../src/server/frontends/http_connect_frontend.ts";
import { SocketStream } from "../../../src/net/tcp/socket_stream.ts";
import type { ProxyServer } from "../../../src/server/proxy_server.ts";
import { follow } from "../../../src/faults/owned.ts";
import { unknownPeer } from "../../../src/wire/peer_identity.ts";
import type { SimSocket } from "../network/sim_socket.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What stands for the head of a request and of its answer: the parsers of HTTP are the runtime's, and not simulated. */
const accepted = 1;
const refused = 0;

/** The Fetch API does not make requests with this method; the listener's are made the same way. */
class ConnectRequest extends Request {
  override get method(): string {
    return "CONNECT";
  }
}

/** Serves a connection of an HTTP CONNECT client, whose request comes as the target's length and text. */
export function acceptConnect(server: ProxyServer, connection: SimSocket): void {
  const gone = new AbortController();
  let head: Uint8Array = new Uint8Array(0);
  connection.on("close", () => gone.abort(new Error("client hung up")));
  connection.on("error", () => {});
  const onHead = (bytes: unknown) => {
    if (!(bytes instanceof Uint8Array)) return;
    head = head.length === 0 ? bytes : new Uint8Array([...head, ...bytes]);
    const [length] = head;
    if (length === undefined || head.length <= length) return void connection.once("data", onHead);
    connection.pause();
    const target = decoder.decode(head.subarray(1, 1 + length));
    follow(connection, answer(server, connection, target, head.subarray(1 + length), gone.signal));
  };
  connection.once("data", onHead);
}

async function answer(
  server: ProxyServer,
  connection: SimSocket,
  target: string,
  rest: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const bindings: ConnectBindings = { peer: unknownPeer, rawHeaders: [] };
  const request = new ConnectRequest(`http://connect/${encodeURIComponent(target)}`, { signal });
  const { status } = await server.connect.fetch(request, bindings);
  connection.write(Uint8Array.of(status === 200 ? accepted : refused));
  if (status !== 200 || bindings.tunnel === undefined) return void connection.end();
  bindings.tunnel(new SocketStream(connection.socket, rest));
}

/** A client's request. */
export function connectRequest(target: string): Uint8Array {
  const text = encoder.encode(target);
  const request = new Uint8Array(1 + text.length);
  request[0] = text.length;
  request.set(text, 1);
  return request;
}

/** Whether the first byte of an answer says that the tunnel is open. */
export function isAccepted(first: number | undefined): boolean {
  return first === accepted;
}
