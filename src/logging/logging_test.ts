import { getLogger } from "@logtape/logtape";
import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { LogFileError } from "./log_file.ts";
import type { LogDestination } from "./log_queue.ts";
import { configureLogging } from "./logging.ts";
import type { LoggingSettings } from "./logging_settings.ts";

const defaults: LoggingSettings = {
  loggingFormat: "text",
  verbosity: 4,
  vmodule: "",
  logtostderr: true,
  alsologtostderr: false,
  alsologtostderrthreshold: 0,
  stderrthreshold: 2,
  legacyStderrThresholdBehavior: true,
  logDir: "",
  logFile: "",
  logFileMaxSizeMib: 1800,
  oneOutput: false,
  skipHeaders: true,
  skipLogHeaders: true,
};

class Memory implements LogDestination {
  text = "";

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(this.writeSync(bytes));
  }

  writeSync(bytes: Uint8Array): number {
    this.text += new TextDecoder().decode(bytes);
    return bytes.length;
  }
}

/** Logs one line of each level with the settings and returns what stderr got. */
async function logAll(settings: Partial<LoggingSettings>): Promise<string> {
  const stderr = new Memory();
  await using _logging = configureLogging({ ...defaults, ...settings }, { program: "prog", stderr });
  const log = getLogger(["server", "backend"]);
  log.trace("a trace");
  log.debug("a debug");
  log.info("an info");
  log.warn("a warning");
  log.error("an error");
  await _logging.flush();
  return stderr.text;
}

async function inTempDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

leakTest("by default everything at the default verbosity goes to stderr", async () => {
  assert.equal(await logAll({}), "an info\na warning\nan error\n");
  assert.equal(await logAll({ verbosity: 6 }), "a trace\na debug\nan info\na warning\nan error\n");
  assert.equal(await logAll({ verbosity: 0, vmodule: "backend=5" }), "a debug\nan info\na warning\nan error\n");
  assert.equal(await logAll({ verbosity: 0, vmodule: "tunnel=5" }), "an info\na warning\nan error\n");
});

leakTest("--logging-format=json writes one object a line", async () => {
  const lines = (await logAll({ loggingFormat: "json" })).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ msg, level }) => [msg, level]), [
    ["an info", "info"],
    ["a warning", "warning"],
    ["an error", "error"],
  ]);
});

leakTest("--stderrthreshold holds on stderr only when the legacy behaviour is off", async () => {
  assert.equal(await logAll({ stderrthreshold: 1 }), "an info\na warning\nan error\n");
  assert.equal(await logAll({ stderrthreshold: 1, legacyStderrThresholdBehavior: false }), "a warning\nan error\n");
});

leakTest(
  "--log-file takes everything, stderr what the thresholds let through, and --logtostderr ignores it",
  async () => {
    await inTempDir(async (dir) => {
      const logFile = `${dir}/prog.log`;
      assert.equal(await logAll({ logFile }), "an info\na warning\nan error\n");
      await assert.rejects(Deno.stat(logFile));
      assert.equal(await logAll({ logFile, logtostderr: false }), "an error\n");
      assert.equal(await Deno.readTextFile(logFile), "an info\na warning\nan error\n");
      const also = { logFile, logtostderr: false, alsologtostderr: true };
      assert.equal(await logAll({ ...also, alsologtostderrthreshold: 1 }), "a warning\nan error\n");
      assert.equal((await Deno.readTextFile(logFile)).split("an info\n").length, 3, "the file is appended to");
    });
  },
);

leakTest("a log file that is full is emptied and begun anew", async () => {
  await inTempDir(async (dir) => {
    const logFile = `${dir}/prog.log`;
    const settings = { ...defaults, logFile, logtostderr: false, logFileMaxSizeMib: 1, skipLogHeaders: false };
    const stderr = new Memory();
    await using logging = configureLogging({ ...settings, skipHeaders: false }, { program: "prog", stderr });
    const log = getLogger(["server"]);
    const filler = "x".repeat(1_000);
    for (let line = 0; line < 1_500; line++) {
      // Of this level every line is written.
      log.fatal(`${line} ${filler}`);
      if (line % 100 === 0) await logging.flush();
    }
    await logging.flush();
    const text = await Deno.readTextFile(logFile);
    assert.ok(text.length < 1024 * 1024, `${text.length}`);
    assert.ok(text.startsWith("Log file created at: "));
    assert.ok(text.includes("server] 1499 "));
    assert.ok(!text.includes("server] 0 "));
  });
});

leakTest(
  "--log-dir gets a file a severity, each with everything above it, or only its own with --one-output",
  async () => {
    for (const oneOutput of [false, true]) {
      await inTempDir(async (logDir) => {
        await logAll({ logDir, logtostderr: false, oneOutput });
        const bySeverity: Record<string, string> = {};
        for await (const { name } of Deno.readDir(logDir)) {
          const found = name.match(/^prog\..+\.log\.(INFO|WARNING|ERROR)\.\d{8}-\d{6}\.\d+$/);
          assert.ok(found, name);
          bySeverity[found[1] ?? ""] = await Deno.readTextFile(`${logDir}/${name}`);
        }
        assert.deepEqual(
          bySeverity,
          oneOutput ? { INFO: "an info\n", WARNING: "a warning\n", ERROR: "an error\n" } : {
            INFO: "an info\na warning\nan error\n",
            WARNING: "a warning\nan error\n",
            ERROR: "an error\n",
          },
        );
      });
    }
  },
);

leakTest("a log file that cannot be opened is refused at start", async () => {
  await inTempDir((dir) => {
    assert.throws(
      () => configureLogging({ ...defaults, logtostderr: false, logFile: `${dir}/none/prog.log` }, { program: "prog" }),
      (error) => error instanceof LogFileError && error.message.includes(`${dir}/none/prog.log`),
    );
    return Promise.resolve();
  });
});

leakTest("log files that cannot be opened are told of on stderr, once each, and tried again", async () => {
  await inTempDir(async (dir) => {
    const stderr = new Memory();
    let now = 0;
    const context = { program: "prog", stderr, now: () => now };
    const settings = { ...defaults, logtostderr: false, logDir: `${dir}/none`, oneOutput: true };
    await using logging = configureLogging(settings, context);
    const log = getLogger(["server"]);
    for (const line of ["lost", "lost as well"]) {
      log.info(line);
      await logging.flush();
    }
    assert.match(stderr.text, /^log lines are lost: cannot write the log file .*none.*\n$/);
    await Deno.mkdir(settings.logDir);
    now += 5_000;
    log.info("kept");
    await logging.flush();
    const [file] = await Array.fromAsync(Deno.readDir(settings.logDir));
    const text = await Deno.readTextFile(`${settings.logDir}/${file?.name}`);
    assert.match(text, /^kept\ndropped 2 lines/);
  });
});

leakTest("a repeated warning is logged once, with the count when logging ends", async () => {
  const stderr = new Memory();
  {
    await using _logging = configureLogging(defaults, { program: "prog", stderr });
    for (let times = 0; times < 5; times++) getLogger(["server"]).warn("refused an agent: {reason}", { reason: "old" });
  }
  assert.equal(stderr.text, 'refused an agent: old\nrefused an agent: old (4 more like this since) repeated="4"\n');
});

/** Runs a program that logs, and returns how it ended and what it wrote. */
async function runLogging(
  body: string,
  context: string = '{ program: "prog" }',
): Promise<{ code: number; stderr: string }> {
  const program = `
    import { getLogger } from "@logtape/logtape";
    import { configureLogging } from "${import.meta.resolve("./logging.ts")}";
    const logging = configureLogging(${JSON.stringify(defaults)}, ${context});
    const log = getLogger(["prog"]);
    ${body}`;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    // Quiet: the runtime would tell when it waits for another process that looks into node_modules.
    args: ["eval", "--quiet", "--no-check", "--config", config, program],
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

leakTest("the last lines are written however the process ends", async () => {
  const many = 'for (let line = 0; line < 1000; line++) log.fatal("line {line}", { line });';
  const all = Array.from({ length: 1000 }, (_, line) => `line ${line}\n`).join("");
  assert.deepEqual(await runLogging(many), { code: 0, stderr: all });
  assert.deepEqual(await runLogging(`${many} Deno.exit(3);`), { code: 3, stderr: all });
  const uncaught = await runLogging(`${many} setTimeout(() => { throw new Error("boom"); });`);
  assert.equal(uncaught.code, 1);
  assert.ok(uncaught.stderr.startsWith(all));
  const rejected = await runLogging(`${many} Promise.reject(new Error("boom"));`);
  assert.equal(rejected.code, 1);
  assert.ok(rejected.stderr.startsWith(all));
});

leakTest("an uncaught error waits for a write that is in flight", async () => {
  const context = `{ program: "prog", stderr: {
    async write(bytes) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return Deno.stderr.writeSync(bytes);
    },
    writeSync: (bytes) => Deno.stderr.writeSync(bytes),
  } }`;
  const ways = [
    'setTimeout(() => { throw new Error("boom"); })',
    'setTimeout(() => Promise.reject(new Error("boom")))',
  ];
  for (const way of ways) {
    const { code, stderr } = await runLogging(`log.info("last"); ${way};`, context);
    assert.equal(code, 1);
    assert.match(stderr, /^last\nan error outside of every connection .*\nerror: Uncaught .*boom/);
  }
});

leakTest("a stderr that nobody reads does not hold the process up", async () => {
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const program = `
    import { getLogger } from "@logtape/logtape";
    import { configureLogging } from "${import.meta.resolve("./logging.ts")}";
    configureLogging(${JSON.stringify(defaults)}, { program: "prog" });
    const log = getLogger(["prog"]);
    for (let line = 0; line < 20_000; line++) log.fatal("x".repeat(1_000));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    console.log("still alive");
    Deno.exit(0);`;
  const child = new Deno.Command(Deno.execPath(), {
    // Quiet: the runtime would tell when it waits for another process that looks into node_modules.
    args: ["eval", "--quiet", "--no-check", "--config", config, program],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // Only stdout is read: the pipe behind stderr is full after 64 KiB.
  const out = await new Response(child.stdout).text();
  assert.equal(out, "still alive\n");
  assert.equal((await child.status).code, 0);
  await child.stderr.cancel();
});
