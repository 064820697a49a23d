import assert from "node:assert/strict";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { ArchiveError, ArchiveFile } from "./archive_file.ts";
import { logTail } from "./local_parts.ts";
import { textFile } from "./diag_part.ts";
import { plainFlags, plainText } from "./plain_flags.ts";
import { fileName, tarEnd, tarFile } from "./tar_writer.ts";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-diag-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function tar(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("tar", { args }).output();
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout);
}

leakTest("tar reads what was written: every size about a block's, in pieces, with its time and mode", async () => {
  await withFolder(async (folder) => {
    const longest = `f/${"n".repeat(98)}`;
    const sizes = [0, 1, 511, 512, 513, 1_024, 100_000];
    const bytes = (size: number) => Uint8Array.from({ length: size }, (_, at) => at % 251);
    const chunks = [
      ...sizes.flatMap((size) => {
        const whole = bytes(size);
        const pieces = [whole.subarray(0, size / 3), whole.subarray(size / 3)];
        return [...tarFile({ name: `f/${size}`, pieces }, 1_700_000_000_999)];
      }),
      ...tarFile(textFile(longest, "x"), 0),
      tarEnd(),
    ];
    await Deno.writeFile(`${folder}/a.tar`, new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()));
    const listed = await tar("tvf", `${folder}/a.tar`, "--full-time", "--utc");
    assert.match(listed, /^-rw------- 0\/0 +513 2023-11-14 22:13:20 f\/513$/m);
    assert.ok(listed.includes(longest));
    await tar("xf", `${folder}/a.tar`, "-C", folder);
    for (const size of sizes) assert.deepEqual(await Deno.readFile(`${folder}/f/${size}`), bytes(size));
  });
});

Deno.test("a name or size that the form has no room for is refused", () => {
  for (const name of ["", "a b", "ä", "n".repeat(101), "a\0"]) {
    assert.throws(() => [...tarFile({ name, pieces: [] }, 0)], RangeError);
  }
  const huge = { length: 8 ** 11 } as Uint8Array;
  assert.throws(() => [...tarFile({ name: "a", pieces: [huge] }, 0)], /has room for 8589934591/);
  assert.deepEqual(["127.0.0.1:8095", "[::1]:9", "../../etc/passwd", "ä", "-rf"].map(fileName), [
    ...["127.0.0.1-8095", "1-9", "etc-passwd", "file", "rf"],
  ]);
  assert.equal(fileName("x".repeat(100)).length, 48);
});

leakTest(
  "an archive has its name once it is whole, and overwrites nothing, not even what comes meanwhile",
  async () => {
    await withFolder(async (folder) => {
      const path = `${folder}/a.tar.gz`;
      const names = async () => (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
      {
        await using unfinished = await ArchiveFile.create(path);
        await unfinished.add(textFile("a", "x".repeat(100_000)));
        assert.deepEqual(await names(), ["a.tar.gz.part"]);
      }
      assert.deepEqual(await names(), []);

      // Somebody else's link in its place is not followed.
      await Deno.writeTextFile(`${folder}/theirs`, "theirs");
      await Deno.symlink(`${folder}/theirs`, `${path}.part`);
      {
        await using archive = await ArchiveFile.create(path);
        await archive.add(textFile("a", "b"));
        await archive.finish();
      }
      assert.deepEqual(await names(), ["a.tar.gz", "theirs"]);
      assert.equal(await Deno.readTextFile(`${folder}/theirs`), "theirs");
      assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
      assert.equal(await tar("tzf", path), "a\n");
      await assert.rejects(
        ArchiveFile.create(path),
        (error) => error instanceof ArchiveError && /is there already: name another file/.test(error.message),
      );

      const raced = `${folder}/b.tar.gz`;
      await using late = await ArchiveFile.create(raced);
      await Deno.writeTextFile(raced, "theirs");
      await assert.rejects(late.finish(), /cannot write .*b\.tar\.gz: somebody has made it meanwhile/);
      assert.equal(await Deno.readTextFile(raced), "theirs");
    });
  },
);

Deno.test("a command line is shown as it was given, without what is secret in it", () => {
  assert.deepEqual(
    plainFlags([
      ...["--server-key=/etc/k8s/server.key", "--service-account-token-path", "/var/run/token", "-v4", "--v=4"],
      ...[
        "--service-account-token-path=c2VjcmV0IQ==",
        "--token=abc",
        "--my-password",
        "hunter2",
        "--api-key=k",
        "--secret",
      ],
      ...["--proxy=http://u:p@proxy:3128/x", "operand", `--agent-key=${"a".repeat(300)}`],
      ...["--alpn-proto=eyJhbGciOi.eyJzdWIiOi.c2ln", "--agent-identifiers=host=a&ipv4=1.2.3.4"],
      ...["-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"],
    ]),
    [
      ...["--server-key=/etc/k8s/server.key", "--service-account-token-path", "/var/run/token", "-v4", "--v=4"],
      ...["--service-account-token-path=[removed]", "--token=[removed]", "--my-password", "[removed]"],
      ...["--api-key=[removed]", "--secret"],
      ...["--proxy=http://[removed]@proxy:3128/x", "operand", "--agent-key=[removed]"],
      ...["--alpn-proto=[redacted]", "--agent-identifiers=host=a&ipv4=1.2.3.4"],
      "[redacted]",
    ],
  );
  assert.equal(plainText("see https://a:b@c/d and e@f"), "see https://[removed]@c/d and e@f");
});

leakTest("of a log the last whole lines are taken, and what is no file is told", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/log`;
    await Deno.writeTextFile(path, "one\ntwo\nthree\n");
    const tail = async (bytes: number) => new TextDecoder().decode(await logTail(path, bytes));
    assert.equal(await tail(14), "one\ntwo\nthree\n");
    assert.equal(await tail(9), "[8 bytes before this are left out]\nthree\n");
    assert.equal(await tail(0), "[14 bytes before this are left out]\n");
    await assert.rejects(logTail("/dev/zero"), /^MissingError: \/dev\/zero is no regular file$/);
    await assert.rejects(logTail(`${folder}/gone`), /gone is not there$/);
  });
});
