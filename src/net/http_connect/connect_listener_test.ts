import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { testCertificates, writeTestCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { listenConnect } from "./connect_listener.ts";
import { watchTls } from "../tls/tls_watch.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const address = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
const wholeHead = "CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n";
const halfHead = wholeHead.slice(0, 40);

/** A client that writes what it is told and remembers what it is answered. */
class Client implements Disposable {
  answer = "";
  closed = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.answer += text);
    socket.on("error", () => {});
    socket.on("close", () => this.closed = true);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

for (const secure of [false, true]) {
  leakTest(
    `a client that does not finish its request's head is answered 408 and dropped, others are served meanwhile, ${
      secure ? "over TLS" : "in the clear"
    }`,
    async () => {
      const dir = await Deno.makeTempDir();
      try {
        const { ca, client, server } = await testCertificates();
        const { caCert, serverCert, serverKey } = await writeTestCertificates(dir, { ca, client, server });
        await using files = await watchTls({ ca: caCert, cert: serverCert, key: serverKey }, systemClock);
        const failures: unknown[] = [];
        await using listener = await listenConnect({
          address,
          ...(secure ? { tls: { files } } : {}),
          fetch: () => new Response("nobody is there", { status: 503 }),
          clock: systemClock,
          onConnectionError: (error) => failures.push(Reflect.get(error, "reason")),
          // Those who are not slow have theirs read in less, on a busy machine too.
          headersTimeoutMs: 2_000,
        });
        assert.ok(listener.address.kind === "tcp");
        const { port } = listener.address;
        const material = { ca: ca.certPem, cert: client.certPem, key: client.keyPem };
        const open = () =>
          new Client(secure ? connectTls({ host: "127.0.0.1", port, ...material }) : connect(port, "127.0.0.1"));
        using silent = open();
        silent.write(halfHead);
        using dribbling = open();
        dribbling.write(halfHead);
        while (!silent.closed || !dribbling.closed) {
          // The limit is for the head as a whole: byte by byte does not help.
          dribbling.write("x");
          using other = open();
          other.write(wholeHead);
          await until("another client is answered", () => other.closed);
          assert.match(other.answer, /^HTTP\/1\.1 503 [^]*nobody is there$/);
        }
        assert.equal(silent.answer, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
        assert.equal(failures.filter((reason) => reason === "slow_start").length, 2, failures.join());
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  );
}

leakTest("a slow client that keeps its connection open after its answer is told of once", async () => {
  const failures: unknown[] = [];
  await using listener = await listenConnect({
    address,
    fetch: () => new Response("nobody is there", { status: 503 }),
    clock: systemClock,
    onConnectionError: (error) => failures.push(Reflect.get(error, "reason")),
    headersTimeoutMs: 100,
  });
  assert.ok(listener.address.kind === "tcp");
  const { port } = listener.address;
  const clients = [];
  using cleanUp = new DisposableStack();
  // When the second is answered, the runtime has looked at the first again.
  for (let told = 1; told <= 2; told++) {
    const client = cleanUp.use(new Client(connect({ port, host: "127.0.0.1", allowHalfOpen: true })));
    client.write(halfHead);
    await until("it is answered", () => client.answer.includes(" 408 "));
    clients.push(client);
    assert.deepEqual(failures, Array(told).fill("slow_start"));
  }
  assert.deepEqual(clients.map((client) => client.closed), [false, false]);
});
