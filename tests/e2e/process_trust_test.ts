import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { agentFlagsOf, serverFlagsOf } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { builtProject } from "../support/processes/built_project.ts";
import { commandOf, launcherOf, startAgent, startServer } from "../support/processes/processes.ts";
import {
  makeTestCertificates,
  type TestCertificateFiles,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

/** Turns the runtime's checks of certificates off, where a program does not ask for them. */
const careless = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };

/** Somebody who stands between with a certificate of an authority of their own. */
interface Impostor extends AsyncDisposable {
  readonly port: number;
  /** Connections so far. */
  readonly met: number;
  /** What clients have said to it within TLS. */
  readonly heard: string;
}

async function impostor(): Promise<Impostor> {
  const { server: pair } = await makeTestCertificates("impostor");
  let met = 0;
  let heard = "";
  const server = createServer({ cert: pair.certPem, key: pair.keyPem, ALPNProtocols: ["h2", "http/1.1"] });
  server.on("connection", () => met++);
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => heard += bytes.toString("latin1"));
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get met() {
      return met;
    },
    get heard() {
      return heard;
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function withFiles(body: (folder: string, files: TestCertificateFiles) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    await body(folder, await writeTestCertificates(folder, await testCertificates()));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A kubeconfig of a user with a token, for an API at a port. */
async function writeKubeconfig(folder: string, port: number): Promise<string> {
  const { ca } = await testCertificates();
  const cluster = { server: `https://127.0.0.1:${port}`, "certificate-authority-data": btoa(ca.certPem) };
  const path = `${folder}/kubeconfig`;
  const config = {
    "current-context": "it",
    contexts: [{ name: "it", context: { cluster: "it", user: "it" } }],
    clusters: [{ name: "it", cluster }],
    users: [{ name: "it", user: { token: "secret" } }],
  };
  await Deno.writeTextFile(path, JSON.stringify(config));
  return path;
}

leakTest("NODE_TLS_REJECT_UNAUTHORIZED=0 lets no impostor be an agent's server", async () => {
  await withFiles(async (_folder, files) => {
    await using other = await impostor();
    await using _agent = await startAgent(agentFlagsOf(files, other.port), careless, await commandOf("agent"));
    await until("the agent has tried", () => other.met > 2);
    assert.equal(other.heard, "");
  });
});

leakTest("NODE_TLS_REJECT_UNAUTHORIZED=0 lets no impostor be a client's proxy", async () => {
  await withFiles(async (_folder, files) => {
    for (const mode of ["grpc", "http-connect"]) {
      await using other = await impostor();
      const bundle = `${await builtProject()}/dist/konnectivity.js`;
      const { code } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--quiet", "--no-config", bundle, "test-client"],
          ...[`--mode=${mode}`, "--proxy-host=127.0.0.1", `--proxy-port=${other.port}`],
          ...[`--ca-cert=${files.caCert}`, `--client-cert=${files.clientCert}`, `--client-key=${files.clientKey}`],
        ],
        env: careless,
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).output();
      assert.notEqual(code, 0);
      assert.ok(other.met > 0);
      assert.equal(other.heard, "");
    }
  });
});

leakTest("NODE_TLS_REJECT_UNAUTHORIZED=0 lets no impostor be the Kubernetes API of a server or an agent", async () => {
  await withFiles(async (folder, files) => {
    await using other = await impostor();
    const kubeconfig = await writeKubeconfig(folder, other.port);
    const frontend = { certificates: files, uds: `${folder}/s.sock`, port: 0 };
    const flags = [...serverFlagsOf("grpc-uds", frontend), "--enable-lease-controller", `--kubeconfig=${kubeconfig}`];
    {
      await using _server = await startServer(flags, careless, await commandOf("server"));
      await until("the server has tried", () => other.met > 0);
    }
    const before = other.met;
    const counting = [...agentFlagsOf(files, 1), "--count-server-leases", `--kubeconfig=${kubeconfig}`];
    await using _agent = await startAgent(counting, careless, await commandOf("agent"));
    await until("the agent has tried", () => other.met > before);
    assert.equal(other.heard, "");
  });
});

leakTest(
  "a launcher hands its program nothing of the environment that changes what the runtime trusts or does",
  async () => {
    await withFiles(async (folder, files) => {
      await Deno.writeTextFile(`${folder}/required.cjs`, 'require("node:fs").writeFileSync(__dirname + "/ran", "");\n');
      const harmful = {
        ...careless,
        NODE_EXTRA_CA_CERTS: files.caCert,
        NODE_OPTIONS: `--require ${folder}/required.cjs`,
        NODE_DEBUG: "tls",
        NODE_V8_COVERAGE: `${folder}/coverage`,
        DENO_CERT: files.caCert,
        DENO_V8_FLAGS: "--max-old-space-size=1",
        DENO_AUDIT_PERMISSIONS: `${folder}/audit`,
        DENO_COVERAGE_DIR: `${folder}/coverage`,
        DENO_PERMISSION_BROKER_PATH: `${folder}/broker`,
        DENO_SERVE_ADDRESS: "tcp:127.0.0.1:1",
        SSLKEYLOGFILE: `${folder}/keys`,
      };
      const kept = { DENO_TLS_CA_STORE: "mozilla", OTEL_SERVICE_NAME: "kept", ANOTHER: `a\nexport NODE_OPTIONS=b` };
      await using agent = await startAgent(agentFlagsOf(files, 1), { ...harmful, ...kept }, await launcherOf("agent"));
      const environment = (await Deno.readTextFile(`/proc/${agent.program.pid}/environ`)).split("\0");
      for (const name of Object.keys(harmful)) {
        assert.deepEqual(environment.filter((line) => line.startsWith(`${name}=`)), []);
      }
      for (const [name, value] of Object.entries(kept)) assert.ok(environment.includes(`${name}=${value}`), name);
      const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
      assert.deepEqual(names.filter((name) => !/\.(crt|key|cjs)$/.test(name)), []);
    });
  },
);
