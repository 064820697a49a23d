import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { makeTestCertificates, type TestCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { until } from "../../../tests/support/assert/until.ts";
import type { TlsFiles, TlsMaterial } from "./tls_files.ts";
import { type WatchedTls, watchTls } from "./tls_watch.ts";
import { systemClock } from "../../runtime/system_clock.ts";

/** Often enough that a test does not wait, seldom enough that half a write is seen as that. */
const intervalMs = 20;

const fileNames = ["tls.crt", "tls.key", "ca.crt"] as const;

type Contents = Readonly<Record<typeof fileNames[number], string>>;

function contentsOf({ ca, server }: TestCertificates): Contents {
  return { "tls.crt": server.certPem, "tls.key": server.keyPem, "ca.crt": ca.certPem };
}

/** A set of files as they may be replaced, and who watches them. */
interface Bench {
  readonly folder: string;
  readonly watched: WatchedTls;
  /** Every good set that was told, in order. */
  readonly told: readonly TlsMaterial[];
  readonly first: TestCertificates;
  readonly second: TestCertificates;
}

/**
 * Writes the first set, watches it, and hands over.
 * @param lay how the files come to be at `folder/name`
 */
async function bench(
  lay: (folder: string, contents: Contents) => Promise<void>,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const first = await makeTestCertificates("first CA");
    const second = await makeTestCertificates("second CA");
    await lay(folder, contentsOf(first));
    const files: TlsFiles = { cert: `${folder}/tls.crt`, key: `${folder}/tls.key`, ca: `${folder}/ca.crt` };
    await using watched = await watchTls(files, systemClock, intervalMs);
    const told: TlsMaterial[] = [];
    watched.onChange((material) => told.push(material));
    await body({ folder, watched, told, first, second });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function write(folder: string, contents: Partial<Contents>): Promise<void> {
  for (const [name, text] of Object.entries(contents)) await Deno.writeTextFile(`${folder}/${name}`, text);
}

/** As Kubernetes lays out a mounted secret: names point into `..data`, which points to a folder with a time for a name. */
async function writeMounted(folder: string, contents: Contents): Promise<void> {
  await swapMounted(folder, contents, "..2026_01_01");
  for (const name of fileNames) await Deno.symlink(`..data/${name}`, `${folder}/${name}`);
}

/** As Kubernetes replaces it: a new folder, and `..data` is pointed to it in one step. */
async function swapMounted(folder: string, contents: Contents, stamp: string): Promise<void> {
  await Deno.mkdir(`${folder}/${stamp}`);
  await write(`${folder}/${stamp}`, contents);
  await Deno.symlink(stamp, `${folder}/..data_tmp`);
  await Deno.rename(`${folder}/..data_tmp`, `${folder}/..data`);
}

function assertIs(material: TlsMaterial, certificates: TestCertificates): void {
  assert.equal(material.key, certificates.server.keyPem);
  assert.equal(fingerprint(material.cert), fingerprint(certificates.server.certPem));
  assert.equal(fingerprint(material.ca), fingerprint(certificates.ca.certPem));
}

/** Waits until the whole set is in use: a look that meets a swap halfway sees parts of two. */
async function untilUses(watched: WatchedTls, { ca, server }: TestCertificates): Promise<void> {
  await until("the new set is in use", () => {
    return watched.material.key === server.keyPem && fingerprint(watched.material.ca) === fingerprint(ca.certPem);
  });
}

function fingerprint(pem: string | undefined): string {
  return new X509Certificate(pem ?? "").fingerprint256;
}

Deno.test("[server W24] [agent weak 24] files that are written in place are taken", async () => {
  await bench(write, async ({ folder, watched, told, first, second }) => {
    assertIs(watched.material, first);
    await write(folder, contentsOf(second));
    await untilUses(watched, second);
    assert.equal(told.at(-1), watched.material);
    // Certificate, key and CA were written one after the other; no pair that does not fit together was told.
    for (const material of told) assert.equal(material.key, second.server.keyPem);
  });
});

Deno.test("[server W24] [agent weak 24] files that are replaced by renaming are taken", async () => {
  await bench(write, async ({ folder, watched, second }) => {
    for (const [name, text] of Object.entries(contentsOf(second))) {
      await Deno.writeTextFile(`${folder}/.${name}.new`, text);
      await Deno.rename(`${folder}/.${name}.new`, `${folder}/${name}`);
    }
    await untilUses(watched, second);
  });
});

Deno.test("[server W24] [agent weak 24] files that Kubernetes replaces by the swap of a link are taken", async () => {
  await bench(writeMounted, async ({ folder, watched, first, second }) => {
    await swapMounted(folder, contentsOf(second), "..2026_02_02");
    // The old folder goes, as the kubelet removes it.
    await Deno.remove(`${folder}/..2026_01_01`, { recursive: true });
    await untilUses(watched, second);
    await swapMounted(folder, contentsOf(first), "..2026_03_03");
    await untilUses(watched, first);
  });
});

Deno.test("[server W24] [agent weak 24] a set that is broken, half written or gone leaves the last good one in use", async () => {
  await bench(write, async ({ folder, watched, told, first, second }) => {
    const breakages: readonly (() => Promise<void>)[] = [
      () => write(folder, { "tls.crt": "nothing" }),
      () => write(folder, { "tls.crt": second.server.certPem.slice(0, 300) }),
      () => write(folder, { "tls.crt": second.server.certPem }),
      () => write(folder, { "ca.crt": "" }),
      () => Deno.remove(`${folder}/tls.key`),
    ];
    for (const broken of breakages) {
      await broken();
      await new Promise((resolve) => setTimeout(resolve, 3 * intervalMs));
      assert.deepEqual(told, []);
      assertIs(watched.material, first);
      await write(folder, contentsOf(first));
    }
    await write(folder, contentsOf(second));
    await untilUses(watched, second);
  });
});

Deno.test("a listener that cannot take a new set keeps it from no other, and the set is in use", async () => {
  using faults = expectFaults();
  await bench(write, async ({ folder, watched, second }) => {
    const taken: TlsMaterial[] = [];
    watched.onChange(() => {
      throw new Error("this one cannot");
    });
    watched.onChange((material) => taken.push(material));
    await write(folder, contentsOf(second));
    await untilUses(watched, second);
    assert.equal(taken.at(-1), watched.material);
  });
  assert.ok(faults.seen.some(({ place }) => place === "certificates"));
});

Deno.test("the expiry is that of the certificate in use", async () => {
  await bench(write, async ({ folder, watched, first, second }) => {
    const endOf = ({ server }: TestCertificates) => Date.parse(new X509Certificate(server.certPem).validTo) / 1000;
    assert.equal(watched.expirySeconds, endOf(first));
    await write(folder, contentsOf(second));
    await until("the new set is in use", () => watched.material.key === second.server.keyPem);
    assert.equal(watched.expirySeconds, endOf(second));
  });
});

Deno.test("a first set that is not good is an error, and nothing is watched", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assert.rejects(
      watchTls({ cert: "", key: "", ca: `${folder}/none.crt` }, systemClock),
      /cannot read .*none\.crt/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
