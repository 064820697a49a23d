/**
 * The commands of the documents for operators, tried against a server and an agent that run. documents_long_test.ts holds
 * the words of others against them that docs/troubleshooting.md quotes, tests/e2e/readme_test.ts follows docs/getting-started.md, and tests/kube the examples'
 * documents and the runbook.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { leakTest } from "../support/assert/leak_free.ts";
import { builtProject } from "../support/processes/built_project.ts";
import { takeFixedPorts } from "../support/processes/fixed_ports.ts";
import { Launched } from "../support/processes/launched.ts";
import { shellCommands } from "../support/processes/readme_commands.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const documents = [
  "CONTRIBUTING.md",
  "docs/getting-started.md",
  "docs/migration.md",
  "docs/operating.md",
  "docs/troubleshooting.md",
];
/** Documents whose commands for clusters and images tests of Kubernetes follow, word for word. */
const followed = [
  "docs/runbook.md",
  "charts/konnectivity/README.md",
  "examples/kind/README.md",
  "examples/kind-multinode/README.md",
  "examples/kubernetes/README.md",
];

function read(path: string): Promise<string> {
  return Deno.readTextFile(root + path);
}

/** The commands of all documents that begin with one of these words, each once. */
async function commandsOf(...programs: readonly string[]): Promise<string[]> {
  const all = (await Promise.all(documents.map(read))).flatMap(shellCommands);
  return [...new Set(all)].filter((command) => programs.includes(programOf(command)));
}

/** Its first word behind variables. */
function programOf(command: string): string {
  return /^(?:[A-Z_]+=\S+ )*(\S+)/.exec(command)?.[1] ?? "";
}

Deno.test("each command of the documents for operators is of a kind that is tried", async () => {
  for (const document of documents) {
    const commands = shellCommands(await read(document));
    assert.ok(commands.length > 0, document);
    for (const command of commands) {
      assert.ok(["curl", "./bin/konnectivity", "deno", "docker", "kubectl"].includes(programOf(command)), command);
    }
  }
});

Deno.test("what they ask of a cluster, or of a container engine, is followed in another document", async () => {
  const known = new Set((await Promise.all(followed.map(read))).flatMap(shellCommands));
  const commands = await commandsOf("docker", "kubectl");
  assert.ok(commands.length > 4);
  assert.deepEqual(commands.filter((command) => !known.has(command)), []);
});

/** Tasks that other tests run, or that take what is not for a test: all tests, or a change of the sources. */
const tasks = ["build", "certs", "check", "demo", "fmt", "lint", "test"];

Deno.test("what they have done to the sources works", async () => {
  for (const command of await commandsOf("deno")) {
    const [, task] = /^deno task ([\w:-]+)$/.exec(command) ?? [];
    if (task !== undefined) {
      assert.ok(tasks.includes(task), command);
      continue;
    }
    // Fewer runs than a reader has are enough to see that it works.
    const here = command.replace(/ --seeds=\d+/, " --seeds=2");
    const { code, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", here], cwd: root }).output();
    const told = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 0, `${command}\n${told}`);
    if (/ test /.test(command)) assert.match(told, /ok \| [1-9]\d* passed \| 0 failed/, command);
  }
});

/** A folder as its reader has it: certificates where `deno task certs` makes them, and the original's manifest. */
async function readersFolder({ certificates }: Launched, folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/certs/agent/issued`, { recursive: true });
  await Deno.mkdir(`${folder}/certs/agent/private`);
  await Deno.copyFile(certificates.caCert, `${folder}/certs/agent/issued/ca.crt`);
  await Deno.copyFile(certificates.clientCert, `${folder}/certs/agent/issued/proxy-agent.crt`);
  await Deno.copyFile(certificates.clientKey, `${folder}/certs/agent/private/proxy-agent.key`);
  const manifest = await read("examples/kubernetes/control-plane/konnectivity-server.yaml");
  const image = /image: konnectivity\/proxy-server:\S+/;
  assert.match(manifest, image);
  const original = "image: registry.k8s.io/kas-network-proxy/proxy-server:v0.37.0";
  await Deno.writeTextFile(`${folder}/konnectivity-server.yaml`, manifest.replace(image, original));
}

leakTest("what they ask of a server and an agent is answered, and finds nothing wrong with a sound pair", async () => {
  await using launched = await Launched.start("connect-tls");
  await using client = await launched.client();
  const { server, agent } = launched;
  // Some counters are shown from their first event on.
  await assert.rejects(client.dial(`127.0.0.1:${agent.healthPort}`), /not allowed/);
  const ports: Readonly<Record<string, number>> = {
    8092: server.healthPort,
    8093: agent.healthPort,
    8094: agent.adminPort,
    8095: server.adminPort,
  };
  // What is checked would listen on its usual ports, which the programs of other tests have.
  using _usual = await takeFixedPorts([8090, 8091, 8092, 8093, 8094, 8095]);
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-documents-" });
  try {
    await readersFolder(launched, folder);
    const bin = `${await builtProject()}/bin`;
    const commands = await commandsOf("curl", "./bin/konnectivity");
    assert.ok(commands.length > 20);
    for (const command of commands) {
      const here = command
        .replace(/ status$/, ` status --admin http://127.0.0.1:8095`)
        .replace(/127\.0\.0\.1:(809\d)/g, (_, port) => `127.0.0.1:${ports[port]}`)
        .replace(/ agent -- .*/, (flags) => `${flags} --proxy-server-port=${server.agentPort}`)
        .replace(/^\.\/bin\//, `${bin}/`);
      const { code, stdout, stderr } = await new Deno.Command("bash", {
        args: ["-o", "pipefail", "-c", here],
        cwd: folder,
        env: { NO_COLOR: "1", LC_ALL: "C.UTF-8" },
      }).output();
      const told = new TextDecoder().decode(stdout);
      const shown = `${command}\n${told}${new TextDecoder().decode(stderr)}`;
      // The dial above has failed, and a reader is told so for a minute.
      const failedOnce = / status(?:$| --admin)| check --admin /.test(command) && code === 2;
      if (failedOnce) assert.match(told, /not allowed|failures/, shown);
      else assert.equal(code, 0, shown);
      if (!/ > \S+$| -q /.test(command)) assert.notEqual(told.trim(), "", command);
    }
    assert.match(await Deno.readTextFile(`${folder}/before.txt`), /^konnectivity_network_proxy_server_ready_backends/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
