import type { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** One request that a fake proxy was sent. */
export interface ConnectRequest {
  /** `host:port` as it was asked for. */
  readonly authority: string;
  /** The whole head. */
  readonly head: string;
}

/** How a fake proxy behaves. */
export interface FakeConnectProxyOptions {
  /** Ports on 127.0.0.1 by the authority that is asked for; a function answers in its own way. */
  readonly targets: Readonly<Record<string, number>> | ((client: Socket, request: ConnectRequest) => void);
  /** Speaks TLS with this certificate. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly address?: string;
}

/** An HTTP proxy that a test plays: the only one that knows where its targets are. */
export interface FakeConnectProxy extends AsyncDisposable {
  readonly port: number;
  readonly requests: readonly ConnectRequest[];
  /** Connections that were accepted. */
  readonly accepted: number;
  /** Connections that are open, to clients and to targets. */
  readonly open: number;
  /** The value of every `Proxy-Authorization`, empty where there was none. */
  readonly users: readonly string[];
  /** Breaks every connection. */
  cut(): void;
}

export async function startConnectProxy(options: FakeConnectProxyOptions): Promise<FakeConnectProxy> {
  const requests: ConnectRequest[] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  };
  const answer = (client: Socket, request: ConnectRequest, behind: Buffer) => {
    if (typeof options.targets === "function") return options.targets(client, request);
    const port = options.targets[request.authority];
    if (port === undefined) return void client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    const target = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\nVia: 1.1 fake\r\n\r\n");
      if (behind.length > 0) target.write(behind);
      client.pipe(target);
      target.pipe(client);
    });
    keep(target);
    client.on("close", () => target.destroy());
    target.on("close", () => client.destroy());
  };
  const serve = (client: Socket) => {
    accepted++;
    keep(client);
    let head = "";
    const onData = (bytes: Buffer) => {
      head += bytes.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      client.off("data", onData);
      client.pause();
      const behind = bytes.subarray(bytes.length - (head.length - end - 4));
      head = head.slice(0, end);
      const request = { authority: /^CONNECT (\S+) HTTP\/1\.1/.exec(head)?.[1] ?? "", head };
      requests.push(request);
      answer(client, request, behind);
    };
    client.on("data", onData);
  };
  const server = options.tls === undefined
    ? createServer(serve)
    : createTlsServer(options.tls, serve).on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, options.address ?? "127.0.0.1", () => resolve()));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    requests,
    cut,
    get accepted() {
      return accepted;
    },
    get open() {
      return sockets.size;
    },
    get users() {
      return requests.map(({ head }) => /^proxy-authorization: (.*)$/im.exec(head)?.[1]?.trim() ?? "");
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
    },
  };
}
