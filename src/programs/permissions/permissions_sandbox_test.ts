import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../tests/support/processes/free_port.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import type { Attempt } from "../../../tests/support/processes/sandbox_probe.ts";
import { permissionsFor, type Role } from "./permissions_command.ts";

const probe = fileURLToPath(import.meta.resolve("../../../tests/support/processes/sandbox_probe.ts"));

/** Everybody may: memory is given back by it. */
const alwaysAllowed: readonly Attempt[] = [["signal-self"]];

/** Nobody may do these, whatever the role and its flags. */
const neverAllowed: readonly Attempt[] = [
  ["run"],
  ["native"],
  ["import"],
  ["env", "HOME"],
  ["read", "/etc/passwd"],
  ["list", "/"],
];

/** Runs attempts under the permissions of a command line, and checks which the runtime lets through. */
async function check(
  role: Role,
  args: readonly string[],
  { allowed, refused }: { readonly allowed: readonly Attempt[]; readonly refused: readonly Attempt[] },
): Promise<void> {
  const permissions = await permissionsFor(role, args, {
    cwd: Deno.cwd(),
    env: () => undefined,
    readText: (path) => Deno.readTextFileSync(path),
  });
  if (permissions.kind !== "flags") return assert.fail(permissions.text);
  const permitted = [...alwaysAllowed, ...allowed];
  // The machine's name is for log files alone.
  const unnamed: readonly Attempt[] = allowed.some(([kind]) => kind === "hostname") ? [] : [["hostname"]];
  const attempts = [...permitted, ...refused, ...unnamed, ...neverAllowed];
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", ...permissions.flags, probe, JSON.stringify(attempts)],
    env: { HOME: "/root", PROXY_SERVER_ID: "s", PROXY_AGENT_ID: "a" },
  }).output();
  assert.equal(output.code, 0, new TextDecoder().decode(output.stderr));
  const outcomes: unknown = JSON.parse(new TextDecoder().decode(output.stdout));
  const expected = attempts.map((_, index) => index < permitted.length ? "allowed" : "refused");
  const label = (all: unknown) => Array.isArray(all) ? all.map((each, index) => [each, attempts[index]]) : all;
  assert.deepEqual(label(outcomes), label(expected));
}

/** A folder with a certificate file, and one beside it that is nobody's business. */
async function withFiles(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(dir, "certs"));
    await Deno.writeTextFile(join(dir, "certs", "tls.crt"), "certificate");
    await Deno.writeTextFile(join(dir, "token"), "token");
    await Deno.writeTextFile(join(dir, "secret"), "secret");
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

leakTest("a server may listen on its own ports and read its certificates; it may dial nobody else", async () => {
  await withFiles(async (dir) => {
    const [server, agent, admin, health, other] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const cert = join(dir, "certs", "tls.crt");
    await check("server", [
      `--server-port=${server}`,
      `--agent-port=${agent}`,
      "--agent-bind-address=127.0.0.1",
      `--admin-port=${admin}`,
      `--health-port=${health}`,
      `--server-cert=${cert}`,
      `--server-key=${cert}`,
      `--log-file=${join(dir, "server.log")}`,
      "--logtostderr=false",
    ], {
      allowed: [
        ["listen", "0.0.0.0", server],
        ["listen", "::", server],
        ["listen", "127.0.0.1", agent],
        ["listen", "127.0.0.1", admin],
        ["listen", "0.0.0.0", health],
        ["read", cert],
        // What it is must be known before it is written to.
        ["read", join(dir, "server.log")],
        ["write", join(dir, "server.log")],
        ["hostname"],
        ["env", "PROXY_SERVER_ID"],
      ],
      refused: [
        ["listen", "0.0.0.0", other],
        ["listen", "0.0.0.0", agent],
        ["listen", "0.0.0.0", admin],
        ["dial", "127.0.0.1", server],
        ["dial", "127.0.0.1", other],
        ["dial", "example.com", 443],
        ["listen-unix", join(dir, "s")],
        ["list", join(dir, "certs")],
        ["read", join(dir, "secret")],
        ["write", cert],
        ["write", join(dir, "secret")],
        ["env", "PROXY_AGENT_ID"],
      ],
    });
  });
});

leakTest("a server on a Unix socket may make that socket, and no other", async () => {
  await withFiles(async (dir) => {
    const agent = await freePort();
    const socket = join(dir, "s.sock");
    await check("server", [`--uds-name=${socket}`, "--server-port=0", `--agent-port=${agent}`], {
      allowed: [["listen-unix", socket], ["dial-unix", socket], ["listen", "0.0.0.0", agent]],
      refused: [
        ["listen", "0.0.0.0", 8090],
        ["listen-unix", join(dir, "other.sock")],
        ["dial-unix", join(dir, "other.sock")],
        ["write", join(dir, "x")],
        ["dial", "127.0.0.1", agent],
      ],
    });
  });
});

leakTest(
  "an agent with destinations may dial its server and these, listen on its own ports, read its token",
  async () => {
    await withFiles(async (dir) => {
      const [server, health, admin, destination, other] = [
        await freePort(),
        await freePort(),
        await freePort(),
        await freePort(),
        await freePort(),
      ];
      await check("agent", [
        "--proxy-server-host=localhost",
        `--proxy-server-port=${server}`,
        `--health-server-port=${health}`,
        `--admin-server-port=${admin}`,
        `--destinations=127.0.0.2:${destination},127.1.0.0/16`,
        `--ca-cert=${join(dir, "certs", "tls.crt")}`,
        `--service-account-token-path=${join(dir, "token")}`,
      ], {
        allowed: [
          ["dial", "localhost", server],
          ["dial", "127.0.0.2", destination],
          ["dial", "127.1.2.3", other],
          ["listen", "0.0.0.0", health],
          ["listen", "127.0.0.1", admin],
          ["read", join(dir, "token")],
          ["read", join(dir, "certs", "tls.crt")],
          ["env", "PROXY_AGENT_ID"],
        ],
        refused: [
          ["dial", "localhost", other],
          ["dial", "127.0.0.2", other],
          ["dial", "127.0.0.1", destination],
          ["dial", "127.2.0.1", destination],
          ["listen", "0.0.0.0", other],
          ["listen", "127.0.0.1", other],
          ["listen-unix", join(dir, "s")],
          ["read", join(dir, "secret")],
          ["write", join(dir, "token")],
          ["write", join(dir, "x")],
        ],
      });
    });
  },
);

leakTest("an agent for any destination may dial anyone, yet read and write no more", async () => {
  await withFiles(async (dir) => {
    const port = await freePort();
    await check("agent", [`--ca-cert=${join(dir, "certs", "tls.crt")}`], {
      allowed: [["dial", "127.0.0.1", port], ["dial", "127.2.0.1", port], ["read", join(dir, "certs", "tls.crt")]],
      refused: [["read", join(dir, "secret")], ["write", join(dir, "x")], ["write", join(dir, "certs", "tls.crt")]],
    });
  });
});

leakTest("a test client may dial the proxy, and nobody else", async () => {
  await withFiles(async (dir) => {
    const [proxy, other] = [await freePort(), await freePort()];
    const cert = join(dir, "certs", "tls.crt");
    await check("test-client", [`--proxy-port=${proxy}`, `--request-port=${other}`, `--ca-cert=${cert}`], {
      allowed: [["dial", "localhost", proxy], ["read", cert]],
      refused: [
        ["dial", "localhost", other],
        ["dial", "127.0.0.1", other],
        ["listen", "127.0.0.1", other],
        ["list", join(dir, "certs")],
        ["read", join(dir, "secret")],
        ["write", join(dir, "x")],
      ],
    });
    const socket = join(dir, "s.sock");
    await check("test-client", [`--proxy-uds=${socket}`, "--proxy-host=", "--proxy-port=0"], {
      allowed: [["dial-unix", socket]],
      refused: [["dial-unix", join(dir, "other.sock")], ["dial", "localhost", proxy]],
    });
  });
});

leakTest("a test server may listen on its port, and do nothing else", async () => {
  await withFiles(async (dir) => {
    const [port, other] = [await freePort(), await freePort()];
    await check("test-server", [`--server-port=${port}`], {
      allowed: [["listen", "127.0.0.1", port]],
      refused: [
        ["listen", "0.0.0.0", port],
        ["listen", "127.0.0.1", other],
        ["dial", "127.0.0.1", other],
        ["read", join(dir, "secret")],
        ["write", join(dir, "x")],
      ],
    });
  });
});

leakTest(
  "a certificate that is replaced as Kubernetes does it, by the swap of a symbolic link, can be read again",
  async () => {
    const dir = await Deno.makeTempDir();
    try {
      await kubernetesVolume(dir, "one");
      const permissions = await permissionsFor("agent", [`--ca-cert=${dir}/ca.crt`], {
        cwd: dir,
        env: () => undefined,
        readText: () => "",
      });
      if (permissions.kind !== "flags") return assert.fail(permissions.text);
      const script = `
      const seen = new Set();
      while (seen.size < 2) {
        const text = await Deno.readTextFile(Deno.args[0]);
        if (!seen.has(text)) console.log(text);
        seen.add(text);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }`;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", ...permissions.flags, "-", `${dir}/ca.crt`],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      await new Blob([script]).stream().pipeTo(child.stdin);
      const lines = child.stdout.pipeThrough(new TextDecoderStream());
      let output = "";
      for await (const text of lines) {
        output += text;
        if (output === "one\n") await kubernetesVolume(dir, "two");
      }
      assert.equal((await child.status).code, 0);
      assert.equal(output, "one\ntwo\n");
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);

/** Lays out a volume as the kubelet does: ca.crt -> ..data/ca.crt, ..data -> a folder that is swapped and the old removed. */
async function kubernetesVolume(dir: string, version: string): Promise<void> {
  await Deno.mkdir(`${dir}/..${version}`);
  await Deno.writeTextFile(`${dir}/..${version}/ca.crt`, version);
  await Deno.symlink(`..${version}`, `${dir}/..data_tmp`);
  const before = await Deno.readLink(`${dir}/..data`).catch(() => undefined);
  await Deno.rename(`${dir}/..data_tmp`, `${dir}/..data`);
  if (before === undefined) await Deno.symlink("..data/ca.crt", `${dir}/ca.crt`);
  else await Deno.remove(`${dir}/${before}`, { recursive: true });
}
