import assert from "node:assert/strict";
import { neededTest, whyMissing } from "../support/assert/needed.ts";
import { httpDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";

const whyNoCurl = await whyMissing({ curl: ["curl", "--version"] });

/** The programs that curl is tried at. */
interface World {
  /** With the frontend over TLS, and over a Unix socket. */
  readonly grpc: Launched;
  readonly grpcUds: Launched;
  readonly connect: Launched;
  readonly connectUds: Launched;
  /** Answers with "hello", host:port. */
  readonly web: string;
  /** An empty message of gRPC, as a file. */
  readonly message: string;
}

/** What curl is asked for, and what it has to report. */
interface Row {
  readonly what: string;
  readonly args: (world: World) => readonly string[];
  /** Status, version of HTTP and status of CONNECT, as curl's own variables have them. */
  readonly report: string;
  /** What headers and body have to show. */
  readonly shows?: RegExp;
  /** curl's exit code, or each that it may have; 0 unless given. */
  readonly code?: number | readonly number[];
}

const tls = ({ certificates: { caCert, clientCert, clientKey } }: Launched) => [
  ...["--cacert", caCert, "--cert", clientCert, "--key", clientKey],
];
const proxied = (launched: Launched) => [
  ...["--proxy", `https://localhost:${launched.port}`],
  ...tls(launched).map((arg) => arg.replace(/^--/, "--proxy-")),
];
const grpcCall = ({ message }: World) => [
  ...["--header", "content-type: application/grpc", "--header", "te: trailers"],
  ...["--data-binary", `@${message}`, "--output", "/dev/null"],
];
const health = "grpc.health.v1.Health/Check";
/** An answer without a byte: an end, or a reset where not all was read that curl had sent. */
const endedOrReset = [52, 56];
const onlyConnect = /this proxy only supports CONNECT passthrough/;
const longHeader = ["--header", `x-long: ${"y".repeat(70_000)}`];

/** Those of one port for pages, on which curl is tried like on the other. */
function pageRows(name: string, portOf: (world: World) => number): readonly Row[] {
  const at = (world: World) => `http://localhost:${portOf(world)}/metrics`;
  const row = (what: string, report: string, args: readonly string[], more: Partial<Row> = {}): Row => ({
    what: `${name}: ${what}`,
    args: (world) => [...args, at(world)],
    report,
    ...more,
  });
  const scraped = /^# TYPE konnectivity_network_proxy_/m;
  return [
    row("HTTP/1.1", "200 1.1 000", [], { shows: scraped }),
    row("HTTP/1.0", "200 1.1 000", ["--http1.0"], { shows: /^connection: close\r$[^]*# TYPE konnectivity/im }),
    row("an upgrade to HTTP/2 is not taken, and what was asked is answered", "200 1.1 000", ["--http2"], {
      shows: scraped,
    }),
    row("HTTP/2 without being asked", "000 0 000", ["--http2-prior-knowledge"], { code: endedOrReset }),
    row("compressed", "200 1.1 000", ["--compressed"], {
      shows: /^content-encoding: gzip\r$[^]*# TYPE konnectivity/im,
    }),
    row("HEAD", "200 1.1 000", ["--head"]),
    row("a method that writes is answered as one that reads", "200 1.1 000", ["--request", "PUT", "--data", "x"]),
    row("a head that is too long", "431 1.1 000", longHeader),
  ];
}

const rows: readonly Row[] = [
  {
    what: "HTTP CONNECT over TLS",
    args: ({ connect, web }) => [...proxied(connect), "--proxytunnel", `http://${web}/`],
    report: "200 1.1 200",
    shows: /^HTTP\/1\.1 200 Connection Established\r\n\r\n[^]*\r\n\r\nhello$/,
  },
  {
    what: "HTTP CONNECT over TLS, two requests in one tunnel",
    args: ({ connect, web }) => [...proxied(connect), "--proxytunnel", `http://${web}/`, `http://${web}/`],
    // The second has no CONNECT of its own.
    report: "200 1.1 000",
    shows: /hello[^]*hello$/,
  },
  {
    what: "HTTP CONNECT as HTTP/1.0 asks for it",
    args: ({ connect, web }) => [...proxied(connect), "--proxytunnel", "--http1.0", `http://${web}/`],
    report: "200 1.1 200",
    shows: /hello$/,
  },
  {
    what: "HTTP CONNECT to a destination that refuses",
    args: ({ connect }) => [...proxied(connect), "--proxytunnel", "http://127.0.0.1:1/"],
    report: "000 0 502",
    shows: /^HTTP\/1\.1 502 /,
    code: 56,
  },
  {
    what: "HTTP CONNECT with a head that is too long",
    args: ({ connect, web }) => [
      ...proxied(connect),
      "--proxytunnel",
      ...longHeader.map((arg) => arg.replace(/^--/, "--proxy-")),
      `http://${web}/`,
    ],
    report: "000 0 431",
    code: 56,
  },
  {
    what: "a request for the proxy to pass on",
    args: ({ connect, web }) => [...proxied(connect), `http://${web}/`],
    report: "405 1.1 000",
    shows: onlyConnect,
  },
  {
    what: "a request for the proxy itself, over a Unix socket",
    args: ({ connectUds }) => ["--unix-socket", connectUds.uds, "http://localhost/"],
    report: "405 1.1 000",
    shows: onlyConnect,
  },
  {
    what: "HTTP/2 where HTTP CONNECT is served: HTTP/1.1 is agreed upon",
    args: ({ connect }) => ["--http2", ...tls(connect), `https://localhost:${connect.port}/`],
    report: "405 1.1 000",
    shows: onlyConnect,
  },
  {
    what: "HTTP CONNECT without a certificate",
    args: ({ connect, web }) => [
      ...["--proxy", `https://localhost:${connect.port}`, "--proxy-cacert", connect.certificates.caCert],
      ...["--proxytunnel", `http://${web}/`],
    ],
    report: "000 0 000",
    code: 56,
  },
  {
    what: "a page where gRPC is served",
    args: ({ grpc }) => ["--http2", ...tls(grpc), `https://localhost:${grpc.port}/`],
    report: "404 2 000",
  },
  {
    what: "HTTP/1.1 where gRPC is served is refused in the handshake",
    args: ({ grpc }) => ["--http1.1", ...tls(grpc), `https://localhost:${grpc.port}/`],
    report: "000 0 000",
    code: 35,
  },
  {
    what: "HTTP/1.1 where gRPC is served, without asking, is answered with the end",
    args: ({ grpc }) => ["--http1.1", "--no-alpn", ...tls(grpc), `https://localhost:${grpc.port}/`],
    report: "000 0 000",
    code: endedOrReset,
  },
  {
    what: "a health check of gRPC",
    args: (
      world,
    ) => ["--http2", ...tls(world.grpc), ...grpcCall(world), `https://localhost:${world.grpc.port}/${health}`],
    report: "200 2 000",
    shows: /^content-type: application\/grpc\r$[^]*^grpc-status: 0\r$/m,
  },
  {
    what: "a health check of gRPC over a Unix socket, in clear text",
    args: (world) => [
      ...["--http2-prior-knowledge", "--unix-socket", world.grpcUds.uds, ...grpcCall(world)],
      `http://localhost/${health}`,
    ],
    report: "200 2 000",
    shows: /^grpc-status: 0\r$/m,
  },
  {
    what: "a health check of Connect's protocol",
    args: ({ grpc }) => [
      ...["--http2", ...tls(grpc), "--header", "content-type: application/json", "--data", "{}"],
      `https://localhost:${grpc.port}/${health}`,
    ],
    report: "200 2 000",
    shows: /\{"status":"SERVING"\}$/,
  },
  {
    what: "a call of gRPC that nobody serves, at the port for clients",
    args: (world) => ["--http2", ...tls(world.grpc), ...grpcCall(world), `https://localhost:${world.grpc.port}/a.B/C`],
    report: "200 2 000",
    shows: /^grpc-status: 12\r\ngrpc-message: unknown method \/a\.B\/C\r$/m,
  },
  {
    what: "a call of gRPC that nobody serves, at the port for agents",
    args: (world) => [
      ...["--http2", ...tls(world.grpc), ...grpcCall(world)],
      `https://localhost:${world.grpc.server.agentPort}/a.B/C`,
    ],
    report: "200 2 000",
    shows: /^grpc-status: 12\r\ngrpc-message: unknown method \/a\.B\/C\r$/m,
  },
  ...pageRows("the server's health port", ({ grpc }) => grpc.server.healthPort),
  ...pageRows("the server's admin port", ({ grpc }) => grpc.server.adminPort),
  ...pageRows("the agent's health port", ({ grpc }) => grpc.agent.healthPort),
  {
    what: "the agent's admin port leads to the health port for metrics",
    args: ({ grpc }) => [`http://localhost:${grpc.agent.adminPort}/metrics`],
    report: "301 1.1 000",
    shows: /^location: \/\/127\.0\.0\.1:\d+\/metrics\r$/m,
  },
];

async function assertRow({ args, report, shows, code = 0 }: Row, world: World): Promise<void> {
  const format = "\n<%{http_code} %{http_version} %{http_connect}>";
  const output = await new Deno.Command("curl", {
    args: ["--silent", "--show-error", "--max-time", "60", "--dump-header", "-", "--write-out", format, ...args(world)],
    env: { no_proxy: "", http_proxy: "", https_proxy: "" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  const all = text.decode(output.stdout) + text.decode(output.stderr);
  const [, shown = "", reported] = /^([^]*)\n<([^<]*)>$/.exec(text.decode(output.stdout)) ?? assert.fail(all);
  assert.equal(reported, report, all);
  assert.ok([code].flat().includes(output.code), `${output.code}: ${all}`);
  if (shows !== undefined) assert.match(shown, shows);
}

neededTest("curl sees what each port promises it, over HTTP/1.0, HTTP/1.1 and HTTP/2", whyNoCurl, async (t) => {
  await using parts = new AsyncDisposableStack();
  const web = parts.use(await httpDestination());
  const start = async (kind: "grpc-tls" | "grpc-uds" | "connect-tls" | "connect-uds") =>
    parts.use(await Launched.start(kind));
  const [grpc, grpcUds, connect, connectUds] = await Promise.all([
    start("grpc-tls"),
    start("grpc-uds"),
    start("connect-tls"),
    start("connect-uds"),
  ]);
  const message = `${grpc.folder}/message`;
  await Deno.writeFile(message, new Uint8Array(5));
  const world = { grpc, grpcUds, connect, connectUds, web: web.address, message };
  for (const row of rows) await t.step(row.what, () => assertRow(row, world));
});
