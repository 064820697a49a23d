import { freePort } from "../support/processes/free_port.ts";
import { startServer } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { relayTo } from "../support/fakes/tls_relay.ts";
import assert from "node:assert/strict";
import { buildH2spec } from "./go_build.ts";

/** What h2spec found of one case. */
interface Case {
  /** `http2/5.1.2/1`, which h2spec takes as an argument. */
  readonly id: string;
  readonly title: string;
  readonly verdict: "passed" | "skipped" | "failed";
  readonly detail: string;
}

/** A case that need not pass, by its id, and why. */
export type Excused = Readonly<Record<string, string>>;

/** How many cases h2spec knows. */
export const knownCases = 146;

/** What h2spec leaves out by itself at a port, since it needs an answer with a body for it. */
const skipped: readonly string[] = ["http2/6.5.3/1", "http2/6.9.1/1", "http2/6.9.2/1", "http2/6.9.2/2"];

const answered =
  "RFC 9113, section 8.1: a request that nobody serves is answered at once, with headers alone, and its stream " +
  "is closed then; what h2spec sends on it comes too late to be a fault";
const answeredAtOnce: Excused = Object.fromEntries(
  [
    "generic/2/2",
    "generic/2/3",
    "http2/5.1/6",
    "http2/5.1/8",
    "http2/5.1/9",
    "http2/6.9/2",
    "http2/6.9.1/3",
    "http2/8.1/1",
    "http2/8.1.2.1/3",
    "http2/8.1.2.6/1",
    "http2/8.1.2.6/2",
  ].map((id) => [id, answered]),
);

const flooded =
  "RFC 9113, sections 5.1.2 and 10.5: each of the 100,001 requests is answered at once and closed then, so that none is " +
  "one too many. Such a flood ends its connection, with ENHANCE_YOUR_CALM where the judge still reads it";

/** Our own HTTP/2. */
export const own: Excused = { ...answeredAtOnce, "http2/5.1.2/1": flooded };

/** Seconds that h2spec waits for an answer, and when it asks once more. */
export const patienceSeconds = 1;
const moreSeconds = 20;
const tries = 3;

export async function judge(port: number, seconds: number, ...specs: string[]): Promise<Case[]> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const { stdout, stderr } = await new Deno.Command(await buildH2spec(), {
      args: [`--port=${port}`, `--timeout=${seconds}`, "--strict", `--junit-report=${report}`, ...specs],
      stdin: "null",
    }).output();
    const cases = casesOf(await Deno.readTextFile(report));
    const text = new TextDecoder();
    assert.ok(cases.length > 0, `h2spec reported no case:\n${text.decode(stdout)}${text.decode(stderr)}`);
    return cases;
  } finally {
    await Deno.remove(report);
  }
}

/** The cases of a report in the form of JUnit. Within a section they are numbered by their order. */
function casesOf(xml: string): Case[] {
  const counts = new Map<string, number>();
  const pattern = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  return Array.from(xml.matchAll(pattern), ([, section = "", title = "", body = ""]) => {
    const at = (counts.get(section) ?? 0) + 1;
    counts.set(section, at);
    const verdict = /<(failure|error)\b/.test(body) ? "failed" : body.includes("<skipped") ? "skipped" : "passed";
    return { id: `${section}/${at}`, title, verdict, detail: body.replace(/<[^>]*>/g, " ").trim() };
  });
}

/** A case fails when it fails alone too, with more time: a busy machine answers late. */
export async function failsAlways(port: number, { id }: Case): Promise<Case | undefined> {
  for (let attempt = 1; attempt < tries; attempt++) {
    const [again] = (await judge(port, moreSeconds, id)).filter(({ verdict }) => verdict !== "skipped");
    if (again === undefined || again.verdict === "passed") return undefined;
    if (attempt === tries - 1) return again;
  }
  return undefined;
}

/** Has h2spec judge both ports of a server. @param excused cases that may fail */
export async function judgesServer(t: Deno.TestContext, http2: "own" | "runtime", excused: Excused): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-h2spec-" });
  try {
    const certificates = await writeTestCertificates(folder, await testCertificates());
    const { caCert, serverCert, serverKey } = certificates;
    const frontendPort = await freePort();
    await using server = await startServer([
      "--mode=grpc",
      `--http2=${http2}`,
      `--server-port=${frontendPort}`,
      "--server-bind-address=127.0.0.1",
      `--server-ca-cert=${caCert}`,
      `--server-cert=${serverCert}`,
      `--server-key=${serverKey}`,
      `--cluster-ca-cert=${caCert}`,
      `--cluster-cert=${serverCert}`,
      `--cluster-key=${serverKey}`,
    ]);
    for (const [what, port] of [["frontend", frontendPort], ["agents", server.agentPort]] as const) {
      await t.step(what, async () => {
        await using relay = await relayTo({ kind: "tls", port, certificates });
        const cases = await judge(relay.port, patienceSeconds);
        assert.equal(cases.length, knownCases);
        assert.deepEqual(cases.filter(({ verdict }) => verdict === "skipped").map(({ id }) => id), skipped);
        for (
          const found of cases.filter(({ id, verdict }) => verdict === "failed" && !Object.hasOwn(excused, id))
        ) {
          const failure = await failsAlways(relay.port, found);
          assert.equal(failure, undefined, `${found.id} ${found.title}: ${failure?.detail}`);
        }
        for (const id of Object.keys(excused)) {
          assert.ok(cases.some((each) => each.id === id), `h2spec has no ${id}`);
        }
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
