import { fileURLToPath } from "node:url";
import { type BenchMode, benchModes, type Implementation } from "./bench_world.ts";
import { type LinkKind, linkKinds } from "./fleet.ts";
import { type BenchSizes, fullSizes, quickSizes } from "./scenarios.ts";

/** What a run measures. */
export interface BenchOptions {
  /** What is measured; absent: this project. */
  readonly subject: Implementation | undefined;
  /** What it is compared with. */
  readonly others: readonly Implementation[];
  readonly rounds: number;
  readonly modes: readonly BenchMode[];
  readonly only: RegExp;
  readonly curves: boolean;
  /** How many agents fleets have, and what these link with. */
  readonly fleets: readonly number[];
  readonly links: readonly LinkKind[];
  /** For how long connections come and go while memory is watched; 0: not at all. */
  readonly churnMinutes: number;
  readonly sizes: BenchSizes;
  readonly out: string;
}

/** The project's folder, without a slash at its end. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
export const mebibyte = 1024 * 1024;

/** Reads the command line. @throws {Error} saying what is wrong with it */
export function parseOptions(args: readonly string[]): BenchOptions {
  const known = /^--(against|subject|rounds|modes|only|mib|churn|out|agents|links)=(.*)$|^--(no-curves|quick)$/s;
  const wrong = args.find((arg) => !known.test(arg));
  if (wrong !== undefined) throw new Error(`unknown option ${wrong}, see the head of tests/bench/bench.ts`);
  const values = (name: string) =>
    args.filter((arg) => arg.startsWith(`--${name}=`)).map((arg) => arg.slice(name.length + 3));
  const value = (name: string) => values(name).at(-1);
  const quick = args.includes("--quick");
  const sizes = quick ? quickSizes : fullSizes;
  const mib = value("mib");
  const churn = value("churn");
  const subject = value("subject");
  const curves = !args.includes("--no-curves");
  const agents = value("agents")?.split(",").map((text) => positive("agents", text));
  return {
    subject: subject === undefined ? undefined : implementation(subject),
    others: values("against").map(implementation),
    rounds: positive("rounds", value("rounds") ?? (quick ? "1" : "3")),
    modes: chosen("mode", value("modes"), benchModes),
    only: new RegExp(value("only") ?? "."),
    curves,
    fleets: agents ?? (curves ? sizes.fleet.agents : []),
    links: chosen("kind of link", value("links"), linkKinds),
    churnMinutes: churn === undefined ? 0 : positive("churn", churn),
    sizes: mib === undefined ? sizes : { ...sizes, bytes: positive("mib", mib) * mebibyte },
    out: value("out") ?? root,
  };
}

/** Those of a list that an option names; all where it is not given. */
function chosen<Name extends string>(what: string, text: string | undefined, all: readonly Name[]): readonly Name[] {
  return text?.split(",").map((name) => {
    const found = all.find((each) => each === name);
    if (found === undefined) throw new Error(`no ${what} ${name}, choose of ${all.join(", ")}`);
    return found;
  }) ?? all;
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} is a whole number above 0, not ${text}`);
  return number;
}

function implementation(text: string): Implementation {
  const [, name, server, agent] = /^([^=]+)=([^|]+)\|([^|]+)$/s.exec(text) ?? [];
  if (name === undefined || server === undefined || agent === undefined) {
    throw new Error(`an implementation is given as NAME=SERVER COMMAND|AGENT COMMAND, not ${text}`);
  }
  return { name, server: server.trim().split(/\s+/), agent: agent.trim().split(/\s+/) };
}
