import assert from "node:assert/strict";
import { issueLeaf } from "../../../src/programs/certs/issue.ts";
import { until } from "../../support/assert/until.ts";
import { testCertificates, writeTestCertificates } from "../../support/in_process/test_certificates.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { diskOf, fill, machine, onSmallDisk } from "./small_disk.ts";

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
