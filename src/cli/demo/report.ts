import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { clientFlags, curlCommand, type Frontend, type FrontendPlaces, loopback } from "./frontends.ts";

/** What became of one request. */
export interface Passage {
  readonly frontend: Frontend;
  readonly places: FrontendPlaces;
  /** HTTP status of the destination's answer. */
  readonly status: number;
  /** From proxy-test-client's connection to the proxy to the answer's last byte, in milliseconds. */
  readonly ms: number;
}

/** The table of requests, a line each. */
export function passageTable(passages: readonly Passage[], destinationPort: number): string[] {
  const rows = passages.map(({ frontend, places, status, ms }) => [
    frontend.title,
    placeText(places.clients),
    `${loopback}:${destinationPort}/success`,
    String(status),
    ms.toFixed(0),
  ]);
  return alignedTable([["FRONTEND", "CLIENT DIALS", "AGENT DIALS", "STATUS", "MS"], ...rows]);
}

/** Rows with their columns below each other, two spaces apart. */
function alignedTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, cell.length)), []);
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ").trimEnd());
}

/** Commands that a reader may paste, with headings, for a demo that is left running. */
export function commandsToTry(
  passages: readonly Pick<Passage, "frontend" | "places">[],
  destinationPort: number,
  certs: string,
  entry: string,
): string[] {
  const lines: string[] = [];
  for (const { frontend, places } of passages) {
    const client = [...testClientCommand(entry), ...clientFlags(frontend, places, destinationPort, certs)];
    lines.push(`# ${frontend.title}`, shellCommand(client));
    if (frontend.mode === "http-connect" && typeof places.clients === "number") {
      lines.push(shellCommand(curlCommand(places.clients, destinationPort, certs)));
    }
    lines.push(
      shellCommand(["curl", `http://${loopback}:${places.serverHealth}/readyz`]),
      shellCommand(["curl", `http://${loopback}:${places.serverAdmin}/metrics`]),
      "",
    );
  }
  return lines;
}

/** The launcher beside a bundle; from source the task, which runs in the project's folder. */
function testClientCommand(entry: string): string[] {
  const path = fileURLToPath(entry);
  return path.endsWith(".js")
    ? [join(dirname(path), "../bin/proxy-test-client")]
    : ["deno", "task", "--config", join(dirname(path), "deno.json"), "test-client"];
}

function placeText(place: number | string): string {
  return typeof place === "number" ? `${loopback}:${place}` : place;
}

/** A command line for a POSIX shell. */
function shellCommand(words: readonly string[]): string {
  return words.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
