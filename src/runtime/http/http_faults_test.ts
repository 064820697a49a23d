import { Agent, createServer as createHttpServer, get, request } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { runtimeFault } from "../../../tests/support/assert/runtime_fault.ts";
import { until } from "../../../tests/support/assert/until.ts";

const oneConnection = { file: "src/kube/client/api_transport.ts", then: "its calls may share connections" };

runtimeFault(
  "this runtime sends a request that was given up on a kept connection a second time",
  oneConnection,
  async () => {
    const seen: string[] = [];
    const server = createHttpServer((incoming, response) => {
      seen.push(incoming.url ?? "");
      if (incoming.url === "/first") response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { port } = server.address() as AddressInfo;
    const options = { host: "127.0.0.1", port, agent };
    await new Promise<void>((resolve) =>
      get({ ...options, path: "/first" }, (response) => response.resume().on("end", () => resolve()))
    );
    // The connection is kept once the turn is over.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const abort = new AbortController();
    // Nothing is said of its end: at times there is none.
    request({ ...options, method: "POST", path: "/second", signal: abort.signal }).on("error", () => {}).end("x");
    await until("it came", () => seen.includes("/second"));
    abort.abort();
    // It is sent again at once, if at all.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    agent.destroy();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    return seen.filter((path) => path === "/second").length > 1;
  },
);

const lostStream = {
  file: "src/net/http2/grpc_stream.ts",
  then: "a stream that closes without a code need not be taken for lost",
};

runtimeFault(
  "this runtime closes the streams of an HTTP/2 session that its peer destroyed without an error code",
  lostStream,
  async () => {
    const closed = Promise.withResolvers<number>();
    const server = createHttp2Server();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.on("close", () => closed.resolve(stream.rstCode ?? 0));
      stream.respond({ ":status": 200 });
      stream.resume();
    });
    server.on("sessionError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": "/" }, { endStream: false });
    stream.on("error", () => {});
    await new Promise<void>((resolve) => stream.once("response", () => resolve()));
    session.destroy();
    const code = await closed.promise;
    await new Promise<void>((resolve) => server.close(() => resolve()));
    return code === 0;
  },
);
