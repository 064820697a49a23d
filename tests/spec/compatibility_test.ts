import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url);
const text = await Deno.readTextFile(new URL("docs/compatibility.md", root));

/** Where each version stands in the file that says it, by the first words of its row. */
const sources: readonly (readonly [row: string, says: RegExp])[] = [
  ["this project", /^ {2}"version": "(.+)",$/m],
  ["Deno", /^deno_version=(.+)$/m],
  ["the original's flags and metrics", /"commit": "([0-9a-f]{8})/],
  ["the original's client library", /^\tsigs\.k8s\.io\/apiserver-network-proxy\/konnectivity-client (\S+)$/m],
  ["kube-apiserver's dialler", /^\tk8s\.io\/apiserver (\S+)$/m],
  ["gRPC of agents and servers in Go", /^\tgoogle\.golang\.org\/grpc (\S+)$/m],
  ["kube-apiserver and kubectl", /^version=(\S+) /m],
  ["the kubelet's streaming", /^\tk8s\.io\/cri-streaming (\S+)$/m],
  ["Helm", /^helm_version=(.+)$/m],
  ["h2spec", /summerwind\/h2spec\/cmd\/h2spec@([^+"]+)/],
  ["grpc-js", /"@grpc\/grpc-js": "(.+)"/],
];

/** The rows of a table below a heading, without its head, each as its cells. */
function rowsBelow(heading: string): string[][] {
  const chapter = text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = chapter.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, root));
}

function code(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, inside = ""]) => inside);
}

Deno.test("docs/compatibility.md has the versions that the tests name", async () => {
  const rows = rowsBelow("Versions that the tests run");
  assert.equal(rows.length, sources.length);
  for (const [at, [begin, says]] of sources.entries()) {
    const [what = "", version = "", file = ""] = rows[at] ?? [];
    assert.ok(what.startsWith(begin), `${what} stands where ${begin} should`);
    const [path = ""] = code(file);
    assert.deepEqual(code(version), [says.exec(await read(path))?.[1]], `${what}, by ${path}`);
  }
});

Deno.test("docs/compatibility.md has the release of the original that docs/original describes", async () => {
  const described = /at commit ([0-9a-f]{8}) \(.*release (v[\d.]+)\)/.exec(await read("docs/original/README.md"));
  assert.ok(described !== null);
  const [, commit = "", release = ""] = described;
  assert.ok(text.includes(`\`${commit}\``), commit);
  assert.ok(text.includes(`Release ${release} of the original is the one at that commit`), release);
});

Deno.test("each pair that docs/compatibility.md says was run has a test, which mentions its peer", async () => {
  const mentions: Readonly<Record<string, RegExp>> = {
    "tests/conformance/konnectivity_client_test.ts": /the Go client over/,
    "tests/conformance/egress_test.ts": /kube-apiserver's dialler/,
    "tests/kube/egress_test.ts": /egress/,
    "tests/conformance/stock_connect_test.ts": /as stock clients do/,
    "tests/conformance/grpc_clients_test.ts": /foreignClients/,
    "tests/spec/requests_test.ts": /client\/mod\.ts/,
    "tests/kube/field_test.ts": /field/,
    "tests/conformance/legacy_agent_test.ts": /startFakeAgent/,
    "tests/conformance/legacy_server_test.ts": /fakeserver/,
  };
  const tests = rowsBelow("Who was run against whom").flatMap((row) => code(row.at(-1) ?? ""));
  for (const path of tests) assert.match(await read(path), mentions[path] ?? /Test\(/, path);
  for (const path of Object.keys(mentions)) assert.ok(tests.includes(path), `${path} is in no row`);
});
