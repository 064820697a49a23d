import assert from "node:assert/strict";
import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import { connect, type ConnectOptions, type ProxyClient } from "../../src/client/mod.ts";
import { until } from "../support/assert/until.ts";
import { isForeign, type Program } from "../support/processes/processes.ts";
import { type FieldCase, type FieldMetric, type FieldProbe, kubeletPort, nodeIp } from "./field_case.ts";
import { type FieldWorld, nodeAnswer } from "./field_world.ts";
import { edited, patienceMs, probeOf } from "./kubelet.ts";
import type { Machine } from "./lane.ts";
import { Pod } from "./pod.ts";

/** How long what a case waits for may take on a busy machine. */
const limitMs = 60_000;
/** Of a port that nothing listens at. */
const refusedPort = 1;
const defaultGraceSeconds = 30;

/** A container that runs. */
interface Running {
  readonly machine: Machine;
  readonly pod: Pod;
  readonly program: Program;
  readonly startedAt: number;
}

/** Runs one case through: its refusal where there is one, then everything from the start of both programs to their end. */
export async function runFieldCase(field: FieldCase, world: FieldWorld): Promise<void> {
  await new CaseRun(field, world).run();
}

class CaseRun {
  readonly #given: FieldCase;
  /** As it runs: edited, where ours needs it. */
  readonly #field: FieldCase;
  readonly #world: FieldWorld;
  /** Both programs, whose logs a failure shows. */
  readonly #started: Running[] = [];

  constructor(field: FieldCase, world: FieldWorld) {
    this.#given = field;
    this.#field = isForeign(field.refusal?.of ?? "server") ? field : edited(field);
    this.#world = world;
  }

  async run(): Promise<void> {
    const { refusal, newerThanOriginal } = this.#given;
    if (newerThanOriginal === true && isForeign("server")) return await this.#refused("server", "unknown flag");
    if (refusal !== undefined && (refusal.original === "refuses" || !isForeign(refusal.of))) {
      await this.#refused(refusal.of, isForeign(refusal.of) ? "" : refusal.says);
      if (refusal.edit === undefined) return;
    }
    try {
      await this.#run();
    } catch (error) {
      const tails = (await Promise.all(this.#started.map((each) => this.#tail(each)))).join("\n");
      throw new Error(`${error instanceof Error ? error.message : error}\n${tails}`, { cause: error });
    }
  }

  async #run(): Promise<void> {
    const field = this.#field;
    await using stack = new AsyncDisposableStack();
    const server = await this.#start("server", stack);
    await this.#alive("server", server);
    await this.#openWays(stack);
    const agent = await this.#start("agent", stack);
    await this.#alive("agent", agent);
    if (field.neverReady === undefined) {
      for (const [machine, running] of [["agent", agent], ["server", server]] as const) {
        await this.#ready(machine, running);
      }
      await this.#serve(server.pod);
      await this.#measured();
      for (const [machine, { program }] of [["server", server], ["agent", agent]] as const) {
        await this.#memoryFits(machine, program);
      }
    } else await this.#staysUnready(agent, field.neverReady);
    if (field.brokenProbe !== undefined) await this.#probeFails(field.brokenProbe);
    await Promise.all([this.#end("server", server), this.#end("agent", agent)]);
    for (const each of this.#started) {
      const path = this.#logFile(each);
      if (path !== undefined) assert.ok((await Deno.readTextFile(path)).length > 0, `nothing was logged to ${path}`);
    }
  }

  /** The file that it logs to instead of standard error. */
  #logFile({ machine, pod }: Running): string | undefined {
    const { command } = this.#field[machine];
    const path = valueOf(command, "--log-file");
    return path === undefined || valueOf(command, "--logtostderr") !== "false" ? undefined : pod.outside(path);
  }

  async #tail(running: Running): Promise<string> {
    const path = this.#logFile(running);
    const text = path === undefined ? "" : await Deno.readTextFile(path).catch(() => "");
    return `${running.program.tail(30)}${text.split("\n").slice(-30).join("\n")}`;
  }

  /** A program ends with 1 and says why. */
  async #refused(machine: Machine, says: string): Promise<void> {
    const pod = await this.#prepared(machine, this.#given);
    const program = await pod.start();
    const runs = await until("it ends, or runs", async () => {
      if (program.status !== undefined) return "ended";
      return (await this.#probe(machine, this.#page(machine, "/healthz"))).status === 200 ? "runs" : undefined;
    }, limitMs);
    if (runs === "runs") {
      program.signal("SIGKILL");
      await program.ended;
      assert.fail(
        `${machine} is refused no longer, as the corpus and docs/distributions.md still say\n${program.tail()}`,
      );
    }
    const { code } = await program.ended;
    await until("its output has come", () => program.log.includes(says), limitMs).catch(() => {
      assert.fail(`it was to say ${JSON.stringify(says)}\n${program.tail()}`);
    });
    assert.equal(code, 1, program.tail());
  }

  async #prepared(machine: Machine, field: FieldCase): Promise<Pod> {
    const pod = new Pod(this.#world.lane, machine, field[machine], this.#world.podRoot());
    await pod.prepare((content) => this.#world.textOf(content, field.tokenAudience ?? "system:konnectivity-server"));
    return pod;
  }

  async #start(machine: Machine, stack: AsyncDisposableStack): Promise<Running> {
    const pod = await this.#prepared(machine, this.#field);
    const startedAt = performance.now();
    const program = await pod.start();
    const running = { machine, pod, program, startedAt };
    this.#started.push(running);
    // A case that failed before its end must not leave it behind.
    stack.defer(async () => {
      program.signal("SIGKILL");
      await program.ended;
    });
    return running;
  }

  /** What a kubelet would not have killed it for: probes are answered well before its patience ends. */
  async #alive(machine: Machine, { program, startedAt }: Running): Promise<void> {
    const { startup, liveness } = this.#field[machine];
    const broken = this.#field.brokenProbe;
    const own = broken?.of === machine && broken.kind === "liveness" ? undefined : startup ?? liveness;
    await this.#untilProbed(machine, own ?? this.#page(machine, "/healthz"), program);
    const took = performance.now() - startedAt;
    const patience = patienceMs(this.#field[machine], machine);
    assert.ok(took < patience, `${machine} was alive after ${Math.round(took)} ms; it is killed after ${patience}`);
  }

  async #ready(machine: Machine, { program }: Running): Promise<void> {
    const { readiness, liveness } = this.#field[machine];
    // The original's server asks the first of its strategies alone, for which an agent may be nothing.
    const own = machine === "agent" ? this.#page(machine, "/readyz") : undefined;
    for (const probe of [own, readiness, liveness]) {
      const broken = this.#field.brokenProbe;
      if (probe === undefined || (broken?.of === machine && probe === this.#field[machine][broken.kind])) continue;
      await this.#untilProbed(machine, probe, program);
    }
  }

  async #untilProbed(machine: Machine, probe: FieldProbe, program: Program): Promise<void> {
    await until(`${machine} answers ${probe.path}`, async () => {
      if (program.status !== undefined) throw new Error(`${machine} ended with code ${program.status.code}`);
      const { status } = await this.#probe(machine, probe);
      return status >= 200 && status < 400;
    }, limitMs);
  }

  /** A page of the health port, where its own probes find it. */
  #page(machine: Machine, path: string): FieldProbe {
    const { healthPort, liveness } = this.#field[machine];
    return {
      path,
      port: healthPort,
      timeoutSeconds: 10,
      ...(liveness?.host === undefined ? {} : { host: liveness.host }),
    };
  }

  /** One probe, as a kubelet asks. @returns status 0 when nothing answers in time */
  async #probe(machine: Machine, probe: FieldProbe): Promise<{ readonly status: number; readonly body: string }> {
    const { host, port, path, scheme, timeoutSeconds } = probeOf(probe, machine);
    const socketPath = await this.#world.lane.into(machine, `${host}:${port}`);
    const headers = { "user-agent": "kube-probe/1.36", accept: "*/*", connection: "close", host: `${host}:${port}` };
    return await new Promise((resolve) => {
      const options = { socketPath, path, headers, agent: false, timeout: timeoutSeconds * 1000 };
      const request = scheme === "HTTP" ? httpGet(options) : httpsGet({ ...options, rejectUnauthorized: false });
      request.on("timeout", () => request.destroy());
      request.on("error", () => resolve({ status: 0, body: "" }));
      request.on("response", (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => void (body += text));
        response.on("error", () => resolve({ status: 0, body }));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
    });
  }

  async #probeFails({ of, kind }: NonNullable<FieldCase["brokenProbe"]>): Promise<void> {
    const probe = this.#field[of][kind];
    assert.ok(probe !== undefined);
    const { status } = await this.#probe(of, probe);
    assert.ok(status < 200 || status >= 400, `the broken probe is answered with ${status}`);
  }

  /** Opens the ways that lead from the agent to the server. */
  async #openWays(stack: AsyncDisposableStack): Promise<void> {
    const { balancerPort, throughProxy } = this.#field;
    const port = Number(valueOf(this.#field.server.command, "--agent-port") ?? 8091);
    if (balancerPort !== undefined) {
      await this.#world.lane.outOf("server", `10.0.0.1:${balancerPort}`, `127.0.0.1:${port}`);
    }
    if (throughProxy !== undefined) stack.use(await this.#world.proxyTo(throughProxy, port));
  }

  /** One request through the tunnel, and one dial that its destination refuses. */
  async #serve(pod: Pod): Promise<void> {
    const { destination = nodeIp } = this.#field;
    await using stack = new AsyncDisposableStack();
    const client = await this.#client(pod, stack);
    // The agent knows that it is connected a moment before the server does.
    const answer = await until("the server has the agent", async () => {
      try {
        return await client.fetch(`http://${destination}:${kubeletPort}/healthz`);
      } catch (error) {
        if (!/no agent available/i.test(String(error))) throw error;
        return undefined;
      }
    }, limitMs);
    assert.equal(answer?.status, 200);
    assert.equal(await answer?.text(), nodeAnswer);
    await assert.rejects(client.dial(`${destination}:${refusedPort}`), /connection refused/);
  }

  async #client(pod: Pod, stack: AsyncDisposableStack): Promise<ProxyClient> {
    const { mode, frontend } = this.#field;
    let options: ConnectOptions;
    if ("uds" in frontend) {
      const path = pod.outside(frontend.uds);
      const { mode: bits, gid } = await Deno.stat(path);
      assert.equal((bits ?? 0) & 0o777, 0o770);
      if (frontend.group !== undefined) assert.equal(gid, frontend.group);
      options = { mode, transport: "unix", path };
    } else {
      const { port } = stack.use(await this.#world.portTo("server", `127.0.0.1:${frontend.port}`));
      const { ca, client } = this.#world.certificates;
      const tls = { ca, cert: client.certPem, key: client.keyPem };
      options = { mode, transport: "tls", host: "127.0.0.1", port, tls };
    }
    return stack.use(await connect(options));
  }

  /** The metrics that the distribution reads. */
  async #measured(): Promise<void> {
    for (const metric of this.#field.metrics ?? []) {
      const foreign = isForeign(metric.of);
      if (foreign && metric.onlyOnUse === true) continue;
      const { body } = await this.#probe(metric.of, this.#page(metric.of, "/metrics"));
      const found = hasMetric(body, metric);
      if (metric.missing === true && !foreign) {
        assert.ok(!found, `${metric.name} is there now: it is missing no longer, here and in docs/distributions.md`);
      } else assert.ok(found, `${metric.of} has no ${metric.type} ${metric.name}\n${linesOf(body, metric.name)}`);
    }
  }

  /** What a limit bounds and the system cannot take back: memory without files, at its peak. */
  async #memoryFits(machine: Machine, program: Program): Promise<void> {
    const { memoryLimitMi, overLimit = false } = this.#field[machine];
    if (memoryLimitMi === undefined || isForeign(machine)) return;
    const status = await Deno.readTextFile(`/proc/${program.pid}/status`);
    const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
    const peakMi = mebibytes("VmHWM") - mebibytes("RssFile");
    const what = `${machine} took ${Math.round(peakMi)} MiB, and may take ${memoryLimitMi}`;
    assert.equal(peakMi > memoryLimitMi, overLimit, `${what}: the corpus says otherwise`);
  }

  async #staysUnready({ program }: Running, says: string): Promise<void> {
    await until("the agent says why", () => program.log.includes(says), limitMs).catch(() => {
      assert.fail(`it was to say ${JSON.stringify(says)}\n${program.tail()}`);
    });
    assert.equal((await this.#probe("agent", this.#page("agent", "/readyz"))).status, 503);
    assert.equal((await this.#probe("agent", this.#page("agent", "/healthz"))).status, 200);
  }

  /** One SIGTERM ends it in order, within its grace period; the original's agent needs two. */
  async #end(machine: Machine, { program }: Running): Promise<void> {
    const graceMs = (this.#field[machine].graceSeconds ?? defaultGraceSeconds) * 1000;
    const begun = performance.now();
    const drainsForEver = machine === "agent" && isForeign("agent");
    const { code, signal, signals } = await program.stop(drainsForEver ? 100 : graceMs);
    const took = performance.now() - begun;
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `how ${machine} ended`);
    assert.equal(signals, drainsForEver ? 2 : 1, `signals that ${machine} needed`);
    assert.ok(took < graceMs, `${machine} took ${Math.round(took)} ms to end`);
  }
}

/** The last value of a flag, in either form. */
function valueOf(command: readonly string[], flag: string): string | undefined {
  const at = command.findLastIndex((word) => word === flag || word.startsWith(`${flag}=`));
  const word = command[at];
  return word === flag ? command[at + 1] : word?.slice(flag.length + 1);
}

function hasMetric(text: string, { name, type, label }: FieldMetric): boolean {
  if (!text.includes(`# TYPE ${name} ${type}\n`)) return false;
  const series = type === "histogram" || type === "summary" ? `${name}_count` : name;
  const labelled = label === undefined ? "" : `\\{[^}]*\\b${label[0]}="${label[1]}"[^}]*\\}`;
  const sample = new RegExp(`^${series}${labelled === "" ? "(?:\\{[^}]*\\})?" : labelled} [-+0-9.eE]+$`, "m");
  return sample.test(text);
}

function linesOf(text: string, name: string): string {
  return text.split("\n").filter((line) => line.includes(name)).join("\n");
}
