/**
 * Measures the two HTTP/2 implementations of the gRPC frontend on the same work, each in a process of its own:
 *
 *     deno run -A tests/bench/h2_bench.ts [--rounds=3] [--transport=uds,tls] [--only=download]
 *
 * Machines are noisy: quote the ratios of one run.
 */
import { fileURLToPath } from "node:url";
import { dataHeader } from "../../src/wire/data_header.ts";
import { closeRequest, dialRequest, framePacket } from "../../src/wire/packet.ts";
import { PacketReader } from "../../src/wire/packet_reader.ts";
import { RawH2Client } from "./raw_h2_client.ts";

const kinds = ["runtime", "own"] as const;
type Kind = typeof kinds[number];

const transports = ["uds", "tls"] as const;
type Transport = typeof transports[number];

interface Stats {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** A figure of one run; the larger the better, or the smaller. */
interface Figure {
  readonly name: string;
  readonly value: number;
}

function dial(address: string): Uint8Array {
  return framePacket(dialRequest({ protocol: "tcp", address }, 1n));
}

async function stats(path: string): Promise<Stats> {
  const client = new RawH2Client(path);
  const answer = Promise.withResolvers<string>();
  const reader = new PacketReader({
    onData: () => {},
    onPacket: ({ payload }) => payload.case === "dialResponse" && answer.resolve(payload.value.error),
  });
  client.open(dial("stats"), { onData: (bytes) => reader.push(bytes), onEnd: () => {} });
  const text = await answer.promise;
  client.close();
  return JSON.parse(text);
}

async function download(path: string, connections: number, totalBytes: number): Promise<void> {
  const share = totalBytes / connections;
  await Promise.all(Array.from({ length: connections }, () =>
    new Promise<void>((resolve) => {
      const client = new RawH2Client(path);
      let got = 0;
      client.open(dial(`download:${share}`), {
        onData: (bytes) => {
          got += bytes.length;
          if (got < share) return;
          client.close();
          resolve();
        },
        onEnd: () => {},
      });
    })));
}

async function upload(path: string, connections: number, totalBytes: number): Promise<void> {
  const share = totalBytes / connections;
  const chunk = 32 * 1024;
  const packet = new Uint8Array([...dataHeader(1, chunk), ...new Uint8Array(chunk)]);
  await Promise.all(Array.from({ length: connections }, async () => {
    const client = new RawH2Client(path);
    const done = Promise.withResolvers<void>();
    let answered = false;
    const id = client.open(dial(`upload:${share}`), {
      onData: () => answered ? done.resolve() : answered = true,
      onEnd: () => {},
    });
    for (let sent = 0; sent < share; sent += chunk) await client.send(id, packet);
    await done.promise;
    client.close();
  }));
}

/** Dials and closes, one after the other in each lane; a lane has a connection a dial, or one for all. */
async function dials(path: string, lanes: number, count: number, reuse: boolean): Promise<void> {
  const request = dial("echo");
  const close = framePacket(closeRequest(1));
  await Promise.all(Array.from({ length: lanes }, async () => {
    let shared: RawH2Client | undefined;
    for (let i = 0; i < count / lanes; i++) {
      const client = shared ?? new RawH2Client(path);
      if (reuse) shared = client;
      await new Promise<void>((resolve) => {
        let asked = false;
        const id = client.open(request, {
          onData: () => {
            if (asked) return;
            asked = true;
            client.sendNow(id, close);
          },
          onEnd: () => resolve(),
        });
      });
      if (!reuse) client.close();
    }
    shared?.close();
  }));
}

async function ping(path: string, count: number): Promise<void> {
  const client = new RawH2Client(path);
  const request = dial("echo");
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => {
      client.open(request, { onData: () => resolve(), onEnd: () => {} });
    });
  }
  client.close();
}

async function idle(path: string, count: number, perConnection: number): Promise<number> {
  const before = await stats(path);
  const clients: RawH2Client[] = [];
  for (let i = 0; i < count; i++) {
    if (i % perConnection === 0) clients.push(new RawH2Client(path));
    const client = clients.at(-1);
    await new Promise<void>((resolve) => client?.open(dial("echo"), { onData: () => resolve(), onEnd: () => {} }));
  }
  const after = await stats(path);
  for (const client of clients) client.close();
  return (after.rssBytes - before.rssBytes) / count / 1024;
}

function option(name: string, fallback: string): string {
  return Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
}

const only = new RegExp(option("only", "."));

const gigabyte = 1e9;

async function measure(path: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  const rate = async (name: string, bytes: number, work: () => Promise<void>) => {
    const before = await stats(path);
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1000;
    const after = await stats(path);
    figures.push({ name: `${name}, MB/s`, value: bytes / 1e6 / seconds });
    figures.push({
      name: `${name}, server CPU s/GB`,
      value: (after.cpuSeconds - before.cpuSeconds) / (bytes / gigabyte),
    });
  };
  const each = async (name: string, count: number, work: () => Promise<void>) => {
    const before = await stats(path);
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1000;
    const after = await stats(path);
    figures.push({ name: `${name}, per s`, value: count / seconds });
    figures.push({ name: `${name}, server CPU us each`, value: (after.cpuSeconds - before.cpuSeconds) * 1e6 / count });
  };
  const memory = async (name: string, count: number, perConnection: number) => {
    figures.push({ name: `${name}, KiB`, value: await idle(path, count, perConnection) });
  };
  const work: Record<string, (name: string) => Promise<void>> = {
    "idle stream on its own connection": (name) => memory(name, 500, 1),
    "idle stream among 500 on one": (name) => memory(name, 2000, 500),
    "download x1": (name) => rate(name, gigabyte, () => download(path, 1, gigabyte)),
    "download x16": (name) => rate(name, gigabyte, () => download(path, 16, gigabyte)),
    "upload x1": (name) => rate(name, gigabyte, () => upload(path, 1, gigabyte)),
    "upload x16": (name) => rate(name, gigabyte, () => upload(path, 16, gigabyte)),
    "dial x1, own connection": (name) => each(name, 2000, () => dials(path, 1, 2000, false)),
    "dial x32, own connection": (name) => each(name, 4000, () => dials(path, 32, 4000, false)),
    "dial x32, kept connections": (name) => each(name, 8000, () => dials(path, 32, 8000, true)),
    "round trip": (name) => each(name, 3000, () => ping(path, 3000)),
  };
  for (const [name, run] of Object.entries(work)) if (only.test(name)) await run(name);
  return figures;
}

async function run(kind: Kind, transport: Transport): Promise<Figure[]> {
  const dir = await Deno.makeTempDir();
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      fileURLToPath(new URL("h2_server.ts", import.meta.url)),
      kind,
      transport === "tls" ? "tls" : `${dir}/bench.sock`,
    ],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const out = server.stdout.getReader();
  try {
    const { value } = await out.read();
    return await measure(new TextDecoder().decode(value).trim());
  } finally {
    server.kill();
    await out.cancel();
    await server.status;
    await Deno.remove(dir, { recursive: true });
  }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

const rounds = Number(option("rounds", "3"));
const wanted = option("transport", "uds,tls").split(",");
for (const transport of transports.filter((one) => wanted.includes(one))) {
  const results: Record<Kind, Map<string, number[]>> = { runtime: new Map(), own: new Map() };
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      for (const { name, value } of await run(kind, transport)) {
        results[kind].set(name, [...results[kind].get(name) ?? [], value]);
      }
    }
  }
  const lines = [`| ${transport}, medians of ${rounds} | runtime | own | own / runtime |`, "|---|---|---|---|"];
  for (const [name, values] of results.runtime) {
    const runtime = median(values);
    const own = median(results.own.get(name) ?? []);
    const digits = runtime < 100 ? 1 : 0;
    lines.push(`| ${name} | ${runtime.toFixed(digits)} | ${own.toFixed(digits)} | ${(own / runtime).toFixed(2)} |`);
  }
  await Deno.stdout.write(new TextEncoder().encode(`${lines.join("\n")}\n\n`));
}
