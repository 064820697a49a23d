import { hosts } from "../processes/ports.ts";
import type { Scenario } from "../plan.ts";
import type { Random } from "../random.ts";
import type { Frontend } from "./callers.ts";
import type { SidePlan } from "./side.ts";

/** When tunnels begin: once the fleet should be linked. */
const firstAtMs = 5_000;

/** Most pieces that a side sends, and how long it takes for them at most, in milliseconds. */
const mostPieces = 60;
const mostPacedMs = 10_000;

/** What a tunnel is for. */
export type TunnelKind = "echo" | "upload" | "download" | "idle" | "refused" | "silent";

/** A tunnel that a client opens. */
export interface TunnelPlan {
  readonly number: number;
  readonly kind: TunnelKind;
  readonly atMs: number;
  /** Which server is asked; servers that are not there any more are counted round. */
  readonly server: number;
  readonly frontend: Frontend;
  readonly address: string;
  readonly client: SidePlan;
  readonly destination: SidePlan;
  /** The client gives its dial up after so long, unless it was answered. */
  readonly givesUpAfterMs?: number;
}

/** Where a tunnel's destination listens. */
export function portOf(number: number): number {
  return 10_000 + number;
}

export function drawTunnel(number: number, scenario: Scenario, random: Random): TunnelPlan {
  const { mostBytes = 1_000_000 } = scenario;
  const kinds: readonly TunnelKind[] = ["echo", "echo", "echo", "upload", "upload", "download", "download", "idle"];
  const kind = random.chance(0.05) ? random.pick(["refused", "silent"] as const) : random.pick(kinds);
  const bytes = () => random.chance(0.05) ? 0 : Math.floor(random.spread(1, random.chance(0.1) ? mostBytes : 20_000));
  const [up, down] = [bytes(), bytes()];
  const pace = () => {
    const pieceBytes = Math.ceil(random.spread(64, 64 * 1024));
    return { pieceBytes, gapMs: random.chance(0.3) ? random.between(1, 400) : 0 };
  };
  const slow = (expected: number): Partial<SidePlan> => {
    const isLegacy = scenario.links.includes("legacy");
    if (!random.chance(0.1)) return {};
    return { stall: { afterBytes: random.int(1 + expected), ms: random.between(100, isLegacy ? 2_000 : 20_000) } };
  };
  const breaks = (): Partial<SidePlan> => random.chance(0.05) ? { breaksAfterMs: random.between(0, 10_000) } : {};
  // An end of one direction is the end of both where an agent knows no other.
  const answers = !scenario.links.includes("legacy");
  const sides = sidesOf(kind, up, answers ? down : 0);
  const limited = (side: SidePlan) => {
    const pacing = pace();
    const bytes = side.echoes ? side.expectBytes : side.sendBytes;
    const pieceBytes = Math.max(pacing.pieceBytes, Math.ceil(bytes / mostPieces));
    const pieces = Math.max(1, bytes / pieceBytes);
    return { ...side, pieceBytes, gapMs: Math.min(pacing.gapMs, mostPacedMs / pieces) };
  };
  return {
    number,
    kind,
    atMs: random.between(firstAtMs, 1000 * scenario.seconds),
    server: random.int(scenario.servers),
    frontend: random.pick(scenario.frontends),
    address: `${kind === "silent" ? hosts.silent : hosts.cluster}:${portOf(number)}`,
    client: { ...limited(sides.client), ...slow(sides.client.expectBytes), ...breaks() },
    destination: { ...limited(sides.destination), ...slow(sides.destination.expectBytes), ...breaks() },
    ...(random.chance(0.05) ? { givesUpAfterMs: random.spread(1, 6_000) } : {}),
  };
}

function sidesOf(kind: TunnelKind, up: number, down: number): { client: SidePlan; destination: SidePlan } {
  const idle: SidePlan = {
    sendBytes: 0,
    pieceBytes: 1,
    gapMs: 0,
    echoes: false,
    sends: "at once",
    ends: "at the peer's end",
    expectBytes: 0,
  };
  switch (kind) {
    case "echo":
      return {
        client: { ...idle, sendBytes: up, ends: "when received", expectBytes: up },
        destination: { ...idle, echoes: true, expectBytes: up },
      };
    case "upload":
      return {
        client: { ...idle, sendBytes: up, ends: "when sent", expectBytes: down },
        destination: { ...idle, sendBytes: down, sends: "at the peer's end", ends: "when sent", expectBytes: up },
      };
    case "download":
      return {
        client: { ...idle, expectBytes: down },
        destination: { ...idle, sendBytes: down, ends: "when sent" },
      };
    default:
      return { client: idle, destination: idle };
  }
}
