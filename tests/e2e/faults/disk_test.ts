import assert from "node:assert/strict";
import { issueLeaf } from "../../../src/programs/certs/issue.ts";
import { helloFrame, linkProtocol } from "../../../src/wire/link_frame.ts";
import { until } from "../../support/assert/until.ts";
import { testCertificates, writeTestCertificates } from "../../support/in_process/test_certificates.ts";
import { launcherOf } from "../../support/processes/processes.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";

/** Why a small disk cannot be made here; undefined where it can. */
const machine = await (async () => {
  const args = ["--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"];
  const { success } = await new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).output()
    .catch(() => ({ success: false }));
  return success ? undefined : "no file system can be mounted here";
})();

/** A program whose `/mnt` is a disk of its own, with 64 KiB. @param before commands of the shell, run with it mounted */
async function onSmallDisk(role: "server" | "agent", before = ""): Promise<readonly string[]> {
  const script = `set -e; mount -t tmpfs -o size=64k none /mnt; ${before}\nexec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "sh", ...await launcherOf(role)];
}

/** The disk of a process, as this one sees it. */
const diskOf = (pid: number) => `/proc/${pid}/root/mnt`;

/** Takes all room that is left on a disk. @param path of a file there, which may be new */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, append: true });
  for (const bytes of [4096, 1]) {
    try {
      for (;;) await file.write(new Uint8Array(bytes));
    } catch (error) {
      assert.match(String(error), /No space left/);
    }
  }
}

/** Comes to the server as an agent and goes, which are lines of its log. */
async function comeAndGo({ launched }: FaultWorld): Promise<void> {
  const { server, certificates: { caCert, clientCert, clientKey } } = launched;
  const [ca = "", cert = "", key = ""] = await Promise.all(
    [caCert, clientCert, clientKey].map((path) => Deno.readTextFile(path)),
  );
  using link = await Deno.connectTls({
    hostname: "127.0.0.1",
    port: server.agentPort,
    caCerts: [ca],
    cert,
    key,
    alpnProtocols: [linkProtocol],
  });
  await link.write(helloFrame({ agentid: "comes-and-goes", agentidentifiers: "" }));
  await link.read(new Uint8Array(1000));
}

faultTest("the disk of the log is full", async () => {
  await using world = await FaultWorld.start("grpc-uds", {
    serverCommand: await onSmallDisk("server"),
    serverFlags: ["--logtostderr=false", "--log-file=/mnt/server.log"],
  });
  const { launched } = world;
  const { program } = launched.server;
  const path = `${diskOf(program.pid)}/server.log`;
  // The log's own last page has no room then, either.
  await fill(path);
  await until("it is said elsewhere", async () => {
    await comeAndGo(world);
    return /log lines are lost: .*No space left/.test(program.log);
  });
  await world.goesOn();
  await Deno.truncate(path);
  await until("the log goes on, and says what is lost", async () => {
    await comeAndGo(world);
    return /dropped \d+ lines because the log took them too slowly or failed/.test(await Deno.readTextFile(path));
  });
  await world.end();
}, { machine });

faultTest("the disk of a server's certificates is full", async () => {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-disk-" });
  try {
    await writeTestCertificates(folder, await testCertificates());
    await using world = await FaultWorld.start("connect-tls", {
      serverCommand: await onSmallDisk("server", `cp ${folder}/server.* /mnt/`),
      serverFlags: ["cert", "key"].flatMap((each) => {
        const file = `/mnt/server.${each === "cert" ? "crt" : "key"}`;
        return [`--server-${each}=${file}`, `--cluster-${each}=${file}`];
      }),
    });
    const { server } = world.launched;
    const disk = diskOf(server.program.pid);
    const { ca } = await testCertificates();
    const fresh = await issueLeaf(ca, {
      commonName: "renewed",
      usages: ["server"],
      names: ["localhost"],
      addresses: ["127.0.0.1"],
      keyKind: "p-256",
    });
    // What a program that renews them leaves where nothing is left to write on.
    await Deno.truncate(`${disk}/server.crt`);
    await fill(`${disk}/filler`);
    await assert.rejects(Deno.writeTextFile(`${disk}/server.crt`, fresh.certPem), /No space left/);
    await until("it is read and refused", () => /the last good ones stay/.test(server.program.log));
    await world.goesOn();
    await Deno.remove(`${disk}/filler`);
    await Deno.writeTextFile(`${disk}/server.crt`, fresh.certPem);
    await Deno.writeTextFile(`${disk}/server.key`, fresh.keyPem);
    await until("the new set is taken", () => /certificates changed on disk/.test(server.program.log));
    await world.end();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, { machine });
