import assert from "node:assert/strict";
import { proxyFailure as failure } from "../../tests/support/assert/proxy_failure.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { fakeTlsGrpcProxy, fixedTls } from "../../tests/support/fakes/fake_proxy.ts";
import { makeTestCertificates, testCertificates } from "../../tests/support/in_process/test_certificates.ts";
import { listenConnect } from "../net/http_connect/connect_listener.ts";
import { connect, type ConnectOptions, type ProxyTls } from "./mod.ts";
import { systemClock } from "../runtime/system_clock.ts";

type Mode = ConnectOptions["mode"];

/** A proxy on TCP that asks for certificates and echoes. */
async function tlsProxy(mode: Mode): Promise<AsyncDisposable & { readonly port: number }> {
  const { ca, server } = await testCertificates();
  const material = { ca: ca.certPem, cert: server.certPem, key: server.keyPem };
  const tls = fixedTls(material);
  if (mode === "grpc") return await fakeTlsGrpcProxy(tls);
  const listener = await listenConnect({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    tls,
    fetch: (_, bindings) => {
      bindings.tunnel = (stream) =>
        stream.start({
          onData: (bytes) => {
            if (!stream.write(bytes)) stream.pause();
          },
          onDrain: () => stream.resume(),
          onEnd: () => stream.end(),
          onClose: () => {},
        });
      return new Response(null);
    },
    clock: systemClock,
    onConnectionError: () => {},
  });
  if (listener.address.kind !== "tcp") throw new Error("no port");
  return { port: listener.address.port, [Symbol.asyncDispose]: () => listener.close() };
}

async function clientTls(): Promise<ProxyTls> {
  const { ca, client } = await testCertificates();
  return { ca: ca.certPem, cert: client.certPem, key: client.keyPem };
}

/** Dials through the proxy and lets one byte go round. */
async function roundTrip(mode: Mode, port: number, tls: ProxyTls, host = "localhost"): Promise<void> {
  await using client = await connect({ mode, transport: "tls", host, port, tls });
  await using tunnel = await client.dial("host:1");
  await tunnel.writable.getWriter().write(new Uint8Array([9]));
  assert.deepEqual((await tunnel.readable.getReader().read()).value, new Uint8Array([9]));
}

for (const mode of ["grpc", "http-connect"] as const) {
  leakTest(`a tunnel over ${mode} with certificates on both sides works, by name and by address`, async () => {
    await using proxy = await tlsProxy(mode);
    await roundTrip(mode, proxy.port, await clientTls());
    await roundTrip(mode, proxy.port, await clientTls(), "127.0.0.1");
  });

  leakTest(`a proxy of another authority is bad-tls over ${mode}`, async () => {
    await using proxy = await tlsProxy(mode);
    const { ca } = await makeTestCertificates("another CA");
    assert.equal(
      (await failure(roundTrip(mode, proxy.port, { ...await clientTls(), ca: ca.certPem }))).code,
      "bad-tls",
    );
  });

  leakTest(`a proxy whose certificate carries another name is bad-tls over ${mode}`, async () => {
    await using proxy = await tlsProxy(mode);
    const tls = { ...await clientTls(), serverName: "elsewhere.example" };
    assert.equal((await failure(roundTrip(mode, proxy.port, tls))).code, "bad-tls");
  });

  leakTest(`a proxy that asks for a certificate and gets none refuses over ${mode}`, async () => {
    await using proxy = await tlsProxy(mode);
    const { ca } = await clientTls();
    const error = await failure(roundTrip(mode, proxy.port, ca === undefined ? {} : { ca }));
    assert.ok(["bad-tls", "proxy-unreachable", "tunnel-closed"].includes(error.code), error.code);
  });

  leakTest(`certificates that are no good are refused before anything is sent over ${mode}`, async () => {
    const good = await clientTls();
    const { client } = await makeTestCertificates("another CA");
    const bad: ProxyTls[] = [
      { ca: "not PEM" },
      { ...good, cert: "not PEM" },
      { ...good, key: "not PEM" },
      { ...good, key: client.keyPem },
      good.ca === undefined || good.cert === undefined ? {} : { ca: good.ca, cert: good.cert },
    ];
    for (const tls of bad) assert.equal((await failure(roundTrip(mode, 1, tls))).code, "bad-tls");
  });

  leakTest(`20 MiB with a slow reader arrive whole over ${mode} with TLS`, async () => {
    await using proxy = await tlsProxy(mode);
    const tls = await clientTls();
    await using client = await connect({ mode, transport: "tls", host: "localhost", port: proxy.port, tls });
    await using tunnel = await client.dial("host:1");
    const writer = tunnel.writable.getWriter();
    const size = 20 * 1024 * 1024;
    const writing = (async () => {
      for (let sent = 0; sent < size; sent += 1024 * 1024) {
        await writer.write(new Uint8Array(1024 * 1024).fill(sent >> 20));
      }
    })();
    const reader = tunnel.readable.getReader();
    for (let at = 0, steps = 0; at < size; steps++) {
      const { value } = await reader.read();
      assert.ok(value, `ended at ${at}`);
      assert.equal(value[0], at >> 20, `bytes at ${at}`);
      at += value.length;
      if (steps % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await writing;
  });
}
