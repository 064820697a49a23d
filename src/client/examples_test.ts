import assert from "node:assert/strict";
import { echoDestination, httpDestination, refusingAddress } from "../../tests/support/in_process/destinations.ts";
import { relayGrpcProxy, relayTlsConnectProxy } from "../../tests/support/fakes/fake_proxy.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { makeTestCertificates } from "../../tests/support/in_process/test_certificates.ts";

const module = new URL("./mod.ts", import.meta.url);
const config = new URL("../../deno.json", import.meta.url);

/** The TypeScript blocks of the module's docstring. */
async function examples(): Promise<string[]> {
  const text = (await Deno.readTextFile(module)).replaceAll(/^ \* ?/gm, "");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? "");
}

leakTest("every example of the client's documentation is well typed, runs, and prints what it promises", async () => {
  await using proxy = await relayGrpcProxy();
  await using echo = await echoDestination();
  await using web = await httpDestination();
  const { ca, server, client } = await makeTestCertificates("examples CA");
  await using tlsProxy = await relayTlsConnectProxy({ ca: ca.certPem, cert: server.certPem, key: server.keyPem });
  const dir = await Deno.makeTempDir({ prefix: "examples" });
  try {
    await Deno.mkdir(`${dir}/certs/frontend/issued`, { recursive: true });
    await Deno.mkdir(`${dir}/certs/frontend/private`);
    await Deno.writeTextFile(`${dir}/certs/frontend/issued/ca.crt`, ca.certPem);
    await Deno.writeTextFile(`${dir}/certs/frontend/issued/proxy-client.crt`, client.certPem);
    await Deno.writeTextFile(`${dir}/certs/frontend/private/proxy-client.key`, client.keyPem);
    const replacements: readonly [string, string][] = [
      ["@konnectivity/deno/client", module.href],
      ["/run/konnectivity-server.socket", proxy.path],
      ["echo.internal:7", echo.address],
      ["web.internal:8000", web.address],
      ["closed.internal:1", await refusingAddress()],
      ["port: 8090", `port: ${tlsProxy.port}`],
    ];
    const paths: string[] = [];
    for (const [at, example] of (await examples()).entries()) {
      const path = `${dir}/example${at}.ts`;
      await Deno.writeTextFile(path, replacements.reduce((text, [from, to]) => text.replaceAll(from, to), example));
      paths.push(path);
    }
    const deno = async (...args: string[]) => {
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...args.slice(0, 1), "--config", config.pathname, ...args.slice(1)],
        cwd: dir,
        env: { NO_COLOR: "1" },
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    // All at once: a check takes seconds, most of them for what each of them imports.
    await deno("check", ...paths);
    const printed: string[] = [];
    for (const path of paths) {
      printed.push((await deno("run", "--no-check", "-A", path)).replace(/:\d+: connect/, ":1: connect"));
    }
    assert.deepEqual(printed, [
      "hello\n",
      "200 hello\n",
      "the destination is not there: dial tcp 127.0.0.1:1: connect: connection refused\n",
      "hello\n",
    ]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
