import assert from "node:assert/strict";
import { freePort } from "../../../tests/support/processes/free_port.ts";
import { httpGet, Program } from "../../../tests/support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { IdleHeapTrimmer } from "./idle_heap_trimmer.ts";

const mib = 1024 * 1024;

/** A heap that a test sets, and the collections that it saw. */
class FakeHeap {
  read = 0;
  used = 10 * mib;
  resident = 20 * mib;
  /** Freed, but not given back before the next trim. */
  freed = 0;
  collections = 0;
  trims = 0;
  readonly trimmer = new IdleHeapTrimmer({
    traffic: () => this.read,
    memory: () => ({ resident: this.resident + this.freed, used: this.used }),
    collect: () => {
      this.collections++;
      this.resident = this.used;
    },
    trim: () => {
      this.trims++;
    },
  });

  looks(count: number, bytesEach = 0): void {
    for (let i = 0; i < count; i++) {
      this.read += bytesEach;
      this.trimmer.check();
    }
  }
}

Deno.test("a heap is collected once the process is idle, and not again before it has grown", () => {
  const heap = new FakeHeap();
  heap.looks(100, 5000);
  assert.equal(heap.collections, 0);
  heap.looks(1);
  assert.equal(heap.collections, 0);
  heap.looks(1);
  assert.equal(heap.collections, 1);
  heap.looks(5, mib);
  heap.resident += 2 * mib;
  heap.looks(200);
  assert.equal(heap.collections, 1);
  heap.resident += mib;
  heap.looks(5, mib);
  heap.looks(42);
  assert.equal(heap.collections, 2);
});

Deno.test("what one burst after the other needs is collected once they stop, and what there never was before at once", () => {
  const heap = new FakeHeap();
  heap.looks(2);
  assert.equal(heap.collections, 1);
  for (let burst = 0; burst < 20; burst++) {
    heap.resident = 20 * mib;
    heap.looks(5, mib);
    heap.looks(30);
  }
  assert.equal(heap.collections, 1);
  heap.looks(12);
  assert.equal(heap.collections, 2);
  heap.resident = 24 * mib;
  heap.looks(5, mib);
  heap.looks(2);
  assert.equal(heap.collections, 3);
});

Deno.test("while it stays idle, what a trickle lets a heap grow by is collected every tenth second at most", () => {
  const heap = new FakeHeap();
  heap.looks(2, 1000);
  assert.equal(heap.collections, 1);
  for (let i = 0; i < 80; i++) {
    heap.resident += mib;
    heap.looks(1, 1000);
  }
  assert.equal(heap.collections, 3);
});

Deno.test("memory is given back though the keepalives of many links come together every few seconds, and not under traffic", () => {
  const heap = new FakeHeap();
  heap.looks(2);
  const cycles = (count: number, bytes: number) => {
    for (let cycle = 0; cycle < count; cycle++) {
      heap.looks(1, bytes);
      heap.looks(19);
    }
  };
  heap.resident = 20 * mib;
  cycles(20, mib);
  assert.equal(heap.collections, 1);
  cycles(3, 60 * 1024);
  assert.equal(heap.collections, 2);
});

Deno.test("what the system gets back after a collection counts as growth when it is taken again", () => {
  const heap = new FakeHeap();
  heap.freed = 15 * mib;
  heap.looks(2);
  assert.equal(heap.collections, 1);
  assert.equal(heap.trims, 1);
  heap.freed = 0;
  heap.looks(1);
  heap.resident += 3 * mib;
  heap.looks(5, mib);
  heap.looks(42);
  assert.equal(heap.collections, 2);
  assert.equal(heap.trims, 2);
});

Deno.test("a heap whose collection would take long is left to the engine", () => {
  const heap = new FakeHeap();
  heap.used = 65 * mib;
  heap.resident = 100 * mib;
  heap.looks(100);
  assert.equal(heap.collections, 0);
});

Deno.test("server and agent give memory back after their start", async () => {
  const dir = await Deno.makeTempDir({ prefix: "idle-heap-" });
  try {
    const files = await writeTestCertificates(dir, await testCertificates());
    const [agentPort, ...ports] = await Promise.all(Array.from({ length: 5 }, () => freePort()));
    const commands = [
      [
        "server",
        "--server-port=0",
        `--uds-name=${dir}/frontend.sock`,
        `--cluster-ca-cert=${files.caCert}`,
        `--cluster-cert=${files.serverCert}`,
        `--cluster-key=${files.serverKey}`,
        `--agent-port=${agentPort}`,
        `--health-port=${ports[0]}`,
        `--admin-port=${ports[1]}`,
      ],
      [
        "agent",
        `--ca-cert=${files.caCert}`,
        "--proxy-server-host=127.0.0.1",
        `--proxy-server-port=${agentPort}`,
        `--health-server-port=${ports[2]}`,
        `--admin-server-port=${ports[3]}`,
      ],
    ];
    for (const [at, command] of commands.entries()) {
      // The collector is one that tells: the program's own asks for it by name.
      const tells = `data:text/javascript,globalThis.gc=(o)=>console.error("collected",o.type);`;
      const tellsSignal = `Deno.addSignalListener("SIGUSR2",()=>console.error("trimmed"));`;
      // One of them with a runtime that looks out for the signal, the other with nothing but its own listener.
      const [preload, env] = at === 0 ? [tells + tellsSignal, { DENO_USR2_MEMORY_TRIM: "1" }] : [tells, {}];
      const main = new URL("../../../main.ts", import.meta.url).pathname;
      const run = [Deno.execPath(), "run", "-A", "--quiet", `--preload=${preload}`, main, ...command];
      await using program = new Program(command[0] ?? "", run, env);
      await until("it collects", () => {
        assert.equal(program.status, undefined, program.log);
        return program.log.includes("collected major");
      });
      if (at === 0) await until("it is told to trim", () => program.log.includes("trimmed"));
      const healthPort = ports[at === 0 ? 0 : 2] ?? 0;
      assert.equal((await httpGet(healthPort, "/healthz")).status, 200, program.log);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a program that ends right after it was asked to trim ends as it wants to, and not by the signal", async () => {
  const module = new URL("./idle_heap_trimmer.ts", import.meta.url).href;
  const code = `
    const { trimWhenIdle } = await import(${JSON.stringify(module)});
    globalThis.gc = () => {};
    for (let at = 0; at < 100; at++) {
      const watch = trimWhenIdle(() => 0);
      Deno.kill(Deno.pid, "SIGUSR2");
      watch[Symbol.dispose]();
      await new Promise((resolve) => setTimeout(resolve));
    }
    Deno.exit(7);
  `;
  const { code: exitCode } = await new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", code] }).output();
  assert.equal(exitCode, 7);
});
