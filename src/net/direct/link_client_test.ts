import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { type AddressInfo, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { linkProtocol, statusFrame } from "../../wire/link_frame.ts";
import { connectLink } from "./link_client.ts";
import { systemClock } from "../../runtime/system_clock.ts";

leakTest(
  "the operator's protocols stand before ours in what a link offers: balancers match the first name",
  async () => {
    const { ca } = await testCertificates();
    const hello = Promise.withResolvers<Uint8Array>();
    const listener = createServer((socket) => {
      socket.once("data", (bytes) => {
        hello.resolve(bytes);
        socket.destroy();
      });
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", () => resolve()));
    const { port } = listener.address() as AddressInfo;
    const target = {
      kind: "tls" as const,
      host: "127.0.0.1",
      port,
      tls: { ca: ca.certPem },
      alpnProtocols: ["balanced-1", "balanced-2"],
    };
    await assert.rejects(connectLink(target, new AbortController().signal, true, systemClock));
    const text = new TextDecoder("latin1").decode(await hello.promise);
    const places = ["balanced-1", "balanced-2", linkProtocol, "\u0002h2"].map((name) => text.indexOf(name));
    assert.ok(places.every((place, at) => place > (places[at - 1] ?? 0)), places.join(", "));
    await new Promise((resolve) => listener.close(resolve));
  },
);

/** What a link fails with at a server that says `last` and ends each connection. */
async function failureAt(protocol: string, last: Uint8Array): Promise<string> {
  const { ca, server } = await testCertificates();
  const listener = createTlsServer(
    { cert: server.certPem, key: server.keyPem, ALPNProtocols: [protocol] },
    (socket) => socket.on("error", () => {}).resume().end(last),
  );
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", () => resolve()));
  const { port } = listener.address() as AddressInfo;
  const target = { kind: "tls" as const, host: "127.0.0.1", port, tls: { ca: ca.certPem } };
  try {
    const link = await connectLink(target, new AbortController().signal, true, systemClock);
    try {
      await link.open("/", {}).metadata;
    } finally {
      link.close();
    }
    return "";
  } catch (error) {
    return String(error);
  } finally {
    await new Promise((resolve) => listener.close(resolve));
  }
}

leakTest("a server that ends a connection without a word is said to, with what it may have against it", async () => {
  for (const protocol of [linkProtocol, "h2"]) {
    assert.match(
      await failureAt(protocol, new Uint8Array(0)),
      /^ConnectError: \[unavailable\] the server ended the connection before it answered; it may refuse/,
    );
  }
});

leakTest("what a server says of why it takes no link is what is said", async () => {
  const status = statusFrame({ code: Code.Unavailable, message: "server is shutting down" });
  assert.equal(await failureAt(linkProtocol, status), "ConnectError: [unavailable] server is shutting down");
});
