import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { LogFile, LogFileError } from "./log_file.ts";
import { LogQueue } from "./log_queue.ts";

leakTest("a log goes on when the file that is to follow a full one can be opened again", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const paths = [`${dir}/first.log`, `${dir}/none/second.log`];
    let now = 0;
    const failures: unknown[] = [];
    using file = new LogFile({
      path: () => paths[0] ?? "",
      mustBeNew: false,
      maxBytes: 20,
      heading: () => "heading\n",
    });
    const queue = new LogQueue(file, (count) => `dropped ${count}\n`, {
      now: () => now,
      onFailure: (error) => failures.push(error),
    });
    const log = async (line: string) => {
      queue.push(line);
      await queue.flush();
    };
    await log("first\n");
    paths.shift();
    await log("is not kept\n");
    await log("neither is this\n");
    assert.equal(await Deno.readTextFile(`${dir}/first.log`), "heading\nfirst\n");
    assert.ok(failures.length === 1 && failures[0] instanceof LogFileError, String(failures));
    assert.match(failures[0].message, /cannot write the log file .*none\/second\.log: /);
    await Deno.mkdir(`${dir}/none`);
    now += 5_000;
    await log("kept\n");
    assert.equal(await Deno.readTextFile(`${dir}/none/second.log`), "heading\nkept\ndropped 2\n");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
