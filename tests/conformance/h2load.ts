import assert from "node:assert/strict";
import type { FloodRig, NeighbourFigures } from "../support/floods/flood_rig.ts";
import { relayTo } from "../support/fakes/tls_relay.ts";
import { whyMissing } from "../support/assert/needed.ts";
import { httpGet } from "../support/processes/processes.ts";

/** Why h2load cannot be run here; undefined where it can. */
export const whyNoH2load: string | undefined = await whyMissing({ "nghttp2-client": ["h2load", "--version"] });

/** Which of a server's two ports that speak HTTP/2. */
export type JudgedPort = "clients" | "agents";

/** What is asked of a port. */
export interface Call {
  readonly path: string;
  /** A call of gRPC with an empty message; else a GET. */
  readonly grpc: boolean;
  /** Bytes of the body of its answer. */
  readonly bodyBytes: number;
  /** The class of the answer's status. */
  readonly status: "2xx" | "4xx";
}

/** Calls that are answered at once, each in another way. */
export const calls = {
  // The message says SERVING: two bytes behind a prefix of five.
  health: { path: "/grpc.health.v1.Health/Check", grpc: true, bodyBytes: 7, status: "2xx" },
  // UNIMPLEMENTED stands in the trailers of a response that is nothing else.
  unknown: { path: "/no.such.Service/Call", grpc: true, bodyBytes: 0, status: "2xx" },
  page: { path: "/", grpc: false, bodyBytes: 0, status: "4xx" },
} as const satisfies Readonly<Record<string, Call>>;

/** How h2load is to ask. */
export interface Load {
  readonly requests: number;
  readonly connections: number;
  /** Streams of one connection at once. */
  readonly streams: number;
  /** Requests a second of each connection; as many as it can without. */
  readonly rate?: number;
}

/** What h2load counted, and what a neighbour saw meanwhile. */
export interface Loaded {
  readonly done: number;
  readonly errored: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly bodyBytes: number;
  readonly neighbour: NeighbourFigures;
}

/** Lets h2load ask a port of a server of the rig, while the rig's neighbour goes on. */
export async function h2load(rig: FloodRig, port: JudgedPort, call: Call, load: Load): Promise<Loaded> {
  const { launched } = rig;
  const body = `${launched.folder}/message`;
  await Deno.writeFile(body, new Uint8Array(5));
  // It shows no certificate, which the agents' port demands.
  await using relay = port === "clients"
    ? undefined
    : await relayTo({ kind: "tls", port: launched.server.agentPort, certificates: launched.certificates });
  const output = new Deno.Command("h2load", {
    args: [
      `--requests=${load.requests}`,
      `--clients=${load.connections}`,
      `--max-concurrent-streams=${load.streams}`,
      ...(load.rate === undefined ? [] : [`--rps=${load.rate}`]),
      ...(call.grpc ? ["--header=content-type: application/grpc", "--header=te: trailers", `--data=${body}`] : []),
      ...(relay === undefined ? [`--base-uri=unix:${launched.uds}`] : []),
      `http://localhost:${relay?.port ?? 80}${call.path}`,
    ],
    stdin: "null",
  }).output();
  const neighbour = await rig.beside(output);
  const { stdout, stderr } = await output;
  return { ...countsOf(new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)), neighbour };
}

function countsOf(report: string, errors: string): Omit<Loaded, "neighbour"> {
  const [, done, errored] = /^requests: .*, (\d+) done, .* (\d+) errored, /m.exec(report) ??
    assert.fail(report + errors);
  const [, statuses = ""] = /^status codes: (.*)$/m.exec(report) ?? assert.fail(report);
  const [, bodyBytes] = /^traffic: .*\((\d+)\) data$/m.exec(report) ?? assert.fail(report);
  const byStatus = Object.fromEntries(
    Array.from(statuses.matchAll(/(\d+) (\dxx)/g), ([, count, status = ""]) => [status, Number(count)]),
  );
  return { done: Number(done), errored: Number(errored), byStatus, bodyBytes: Number(bodyBytes) };
}

/** Connections of a port that were closed as floods, by the server's own count. */
export async function floodsOf({ launched }: FloodRig, port: JudgedPort): Promise<number> {
  const { body } = await httpGet(launched.server.healthPort, "/metrics");
  const listener = port === "clients" ? "client" : "agent";
  const series = `server_connections_closed_total{listener="${listener}",reason="flood"}`;
  return Number(body.split("\n").find((line) => line.includes(series))?.split(" ").at(-1) ?? 0);
}

/** Descriptors that a program has open. */
export async function openFiles(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}
