import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { until } from "../../tests/support/assert/until.ts";
import { type AuditDestination, auditLimits, AuditLog, openAuditLog } from "./audit_log.ts";

const decoder = new TextDecoder();

/** A destination that takes as much as the test lets it. */
class FakeDisk implements AuditDestination {
  /** One text for each file: a new one begins when it is opened anew. */
  readonly files: string[] = [""];
  room = Infinity;
  opens = true;
  closed = false;
  attempts = 0;

  write(bytes: Uint8Array): Promise<number> {
    this.attempts++;
    try {
      return Promise.resolve(this.writeSync(bytes));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  writeSync(bytes: Uint8Array): number {
    if (this.room === 0) throw new Error("No space left on device (os error 28)");
    const part = bytes.subarray(0, this.room);
    this.room -= part.length;
    this.files[this.files.length - 1] += decoder.decode(part);
    return part.length;
  }

  reopen(): Promise<void> {
    if (!this.opens) return Promise.reject(new Error("permission denied"));
    this.files.push("");
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
  }
}

const fast = { ...auditLimits, gatherMs: 1, retryMs: 1, closeMs: 50 };

function parsed(text: string): { event?: string; n?: number; count?: number }[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

Deno.test("lines are written in order, and all before the end", async () => {
  const disk = new FakeDisk();
  {
    await using audit = new AuditLog(disk, fast);
    for (let n = 0; n < 1000; n++) audit.write(JSON.stringify({ n }));
  }
  assert.deepEqual(parsed(disk.files[0] ?? "").map(({ n }) => n), Array.from({ length: 1000 }, (_, n) => n));
  assert.equal(disk.closed, true);
  assert.ok(disk.attempts < 10, "lines of one turn go out together");
});

Deno.test("a full disk loses no line while there is room in the queue, and tears none", async () => {
  const disk = new FakeDisk();
  const audit = new AuditLog(disk, fast);
  disk.room = 25;
  for (let n = 0; n < 10; n++) audit.write(JSON.stringify({ n }));
  await until("it has been tried again", () => disk.attempts > 5);
  disk.room = 3;
  await until("that is taken too", () => disk.room === 0);
  disk.room = Infinity;
  await audit[Symbol.asyncDispose]();
  assert.deepEqual(parsed(disk.files[0] ?? "").map(({ n }) => n), Array.from({ length: 10 }, (_, n) => n));
  assert.equal(audit.lost, 0);
});

Deno.test("what the queue has no room for is lost, counted, and said once there is room", async () => {
  const disk = new FakeDisk();
  const audit = new AuditLog(disk, { ...fast, queueBytes: 80 });
  disk.room = 0;
  for (let n = 0; n < 30; n++) audit.write(JSON.stringify({ n }));
  await until("it has been tried", () => disk.attempts > 2);
  const kept = 30 - audit.lost;
  assert.ok(kept >= 8 && kept <= 10, String(kept));
  disk.room = Infinity;
  await until("all is written", () => disk.files[0]?.includes("lost") === true);
  audit.write(JSON.stringify({ n: 99 }));
  await audit[Symbol.asyncDispose]();
  const lines = parsed(disk.files[0] ?? "");
  assert.deepEqual(lines.slice(0, kept).map(({ n }) => n), Array.from({ length: kept }, (_, n) => n));
  assert.deepEqual([lines[kept]?.event, lines[kept]?.count], ["lost", 30 - kept]);
  assert.equal(lines[kept + 1]?.n, 99);
  assert.equal(lines.length, kept + 2);
});

Deno.test("opened anew, a line that was torn by a full disk is whole in the new file", async () => {
  const disk = new FakeDisk();
  const audit = new AuditLog(disk, { ...fast, retryMs: 60_000 });
  disk.room = 12;
  for (let n = 0; n < 4; n++) audit.write(JSON.stringify({ n }));
  await until("the disk is full", () => disk.attempts === 2);
  disk.room = Infinity;
  // This ends the wait of a minute, too.
  audit.reopen();
  await until("the rest is written", () => disk.files[1]?.includes('"n":3') === true);
  assert.equal(disk.files[0], '{"n":0}\n{"n"');
  assert.deepEqual(parsed(disk.files[1] ?? "").map(({ n }) => n), [1, 2, 3]);
  await audit[Symbol.asyncDispose]();
});

Deno.test("opened anew with nothing to write, nothing is written", async () => {
  const disk = new FakeDisk();
  await using audit = new AuditLog(disk, fast);
  audit.reopen();
  await until("it is open", () => disk.files.length === 2);
  audit.write("{}");
  await until("it is written", () => disk.files[1] === "{}\n");
  assert.equal(disk.attempts, 1);
});

Deno.test("lines of a moment are one write, and many do not wait for the moment's end", async () => {
  const disk = new FakeDisk();
  await using audit = new AuditLog(disk, { ...fast, gatherMs: 600_000, gatherBytes: 100 });
  audit.write(`{"n":1}`);
  await new Promise((resolve) => setTimeout(resolve));
  audit.write(`{"n":2}`);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(disk.attempts, 0);
  audit.write(JSON.stringify({ long: "x".repeat(100) }));
  await until("all is written", () => disk.files[0]?.includes("long") === true);
  assert.equal(disk.attempts, 1);
});

Deno.test("where it cannot be opened anew, the old file is written on", async () => {
  const disk = new FakeDisk();
  const audit = new AuditLog(disk, fast);
  disk.opens = false;
  audit.reopen();
  audit.write("{}");
  await audit[Symbol.asyncDispose]();
  assert.deepEqual(disk.files, ["{}\n"]);
});

Deno.test("a disk that stays full does not hold up the end", async () => {
  const disk = new FakeDisk();
  const audit = new AuditLog(disk, fast);
  disk.room = 0;
  audit.write("{}");
  await audit[Symbol.asyncDispose]();
  assert.equal(disk.closed, true);
  audit.write("{}");
  assert.equal(audit.lost, 1);
});

Deno.test("at a sudden end what waits is written at once", () => {
  const disk = new FakeDisk();
  const audit = new AuditLog(disk, fast);
  audit.write(`{"n":1}`);
  audit.flushSync();
  assert.equal(disk.files[0], `{"n":1}\n`);
});

Deno.test("no line turns a terminal's text around or breaks in two, and each says what was meant", async () => {
  const disk = new FakeDisk();
  const name = "a\u202eb\u2028c ü 😀 \x7f \x9b";
  await using audit = new AuditLog(disk, fast);
  audit.write(JSON.stringify({ name }));
  await until("it is written", () => disk.files[0] !== "");
  assert.match(disk.files[0] ?? "", /^[\x20-\x7e]+\n$/);
  assert.equal(JSON.parse(disk.files[0] ?? "").name, name);
});

leakTest(
  "a new file is its owner's alone, one that is there is appended to, and a moved one is followed by a new one",
  async () => {
    const dir = await Deno.makeTempDir();
    const path = `${dir}/audit`;
    for (const n of [1, 2]) {
      await using audit = await openAuditLog(path);
      audit.write(`{"n":${n}}`);
    }
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    assert.equal(await Deno.readTextFile(path), '{"n":1}\n{"n":2}\n');
    {
      await using audit = await openAuditLog(path);
      await Deno.rename(path, `${path}.1`);
      audit.write('{"n":3}');
      await until("the moved file is written on", async () => (await Deno.readTextFile(`${path}.1`)).includes("3"));
      audit.reopen();
      audit.write('{"n":4}');
    }
    assert.equal(await Deno.readTextFile(path), '{"n":4}\n');
    await Deno.remove(dir, { recursive: true });
  },
);

leakTest("/dev/full ends nothing and stalls nothing", async () => {
  const audit = await openAuditLog("/dev/full", { ...fast, queueBytes: 1000 });
  for (let n = 0; n < 1000; n++) audit.write(JSON.stringify({ n }));
  await until("lines are lost", () => audit.lost > 800);
  await audit[Symbol.asyncDispose]();
});

Deno.test("a file that cannot be opened is named", async () => {
  await assert.rejects(openAuditLog("/nowhere/audit"), /cannot write the audit log \/nowhere\/audit: .*no such file/i);
});
