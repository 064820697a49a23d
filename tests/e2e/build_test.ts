import assert from "node:assert/strict";
import { SourceMap, type SourceMapPayload } from "node:module";
import { binaries } from "../../tools/binaries.ts";
import { bundleOf } from "../../tools/build.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { built, removeBuilt, run } from "../support/processes/built_launchers.ts";

Deno.test.afterAll(removeBuilt);

leakTest("every launcher runs its own program", async () => {
  const folder = await built();
  for (const { name } of binaries) {
    const { code, stdout, stderr } = await run([`${folder}/bin/${name}`, "--version"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ `));
    assert.match((await run([`${folder}/bin/${name}`, "--help"])).stdout, new RegExp(`^Usage:\\n {2}${name} `, "m"));
  }
});

leakTest("only the programs that make certificates hold the library for it", async () => {
  const folder = `${await built()}/dist`;
  const sentence = "Cannot get 'notAfter' value";
  const holds = async (file: string, what: string) => (await Deno.readTextFile(`${folder}/${file}`)).includes(what);
  for (const file of ["konnectivity.js", "server.js", "agent.js", "test.js"]) {
    assert.ok(!await holds(file, sentence), file);
  }
  assert.ok(await holds("x509.js", sentence));
  const names = await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);
  const bundles = [
    "agent.js",
    "konnectivity.js",
    "kubeconfig.js",
    "page.js",
    "permissions.js",
    "server.js",
    "test.js",
    "x509.js",
  ];
  assert.deepEqual(names.sort(), bundles.flatMap((name) => [name, `${name}.map`]));
});

leakTest("the question for permissions loads little of Node, and has the answers of the whole program", async () => {
  const folder = await built();
  const question = `${folder}/dist/permissions.js`;
  // Each takes part of a start: sockets, TLS and files of Node take as long as all the rest.
  const modules = (await Deno.readTextFile(question)).matchAll(/\bfrom ?"(node:[^"]+)"/g);
  assert.deepEqual([...new Set([...modules].map(([, name]) => name))].sort(), ["node:buffer", "node:path", "node:url"]);
  const kubeconfig = `${folder}/kubeconfig`;
  await Deno.writeTextFile(
    kubeconfig,
    "clusters: [{name: a, cluster: {server: 'https://10.0.0.1:6443'}}]\ncontexts: [{name: a, context: {cluster: a}}]\n" +
      "current-context: a\n",
  );
  const lines = [
    ["server", "--workers=2", "--uds-name=/run/a.sock", `--kubeconfig=${kubeconfig}`, "--enable-lease-controller"],
    ["server", "--enable-lease-controller"],
    ["agent", "--proxy-server-host=proxy.example", "--destinations=10.0.0.0/8", "--vmodule=a=5"],
    ["agent", "--no-such-flag"],
    ["test-client", "--proxy-host=proxy.example"],
    ["test-server", "--log-file=/tmp/a,b"],
    ["nothing"],
  ];
  for (const line of lines) {
    const ask = (entry: string) =>
      run([Deno.execPath(), "run", "--no-config", "--no-prompt", "-R", "-E", entry, "permissions", ...line]);
    const [asked, whole] = [await ask(question), await ask(`${folder}/dist/konnectivity.js`)];
    const programs = (text: string) => text.replaceAll(/[,|] ?konnectivity\b/g, "");
    // The roles' own bundles have what reads kubeconfigs beside them, and answer for themselves.
    const [role = ""] = line;
    const own = binaries.find(({ program }) => program === role);
    const alone = own === undefined ? asked : await ask(`${folder}/${bundleOf(own.program)}`);
    assert.deepEqual([asked.code, asked.stdout], [alone.code, alone.stdout], line.join(" "));
    const ofWhole = asked.stdout.replaceAll(new RegExp(`,[^,]*/dist/(kubeconfig|page)\\.js`, "g"), "").replace(
      /dist\/(server|agent)\.js/,
      "dist/konnectivity.js",
    );
    assert.deepEqual([asked.code, ofWhole], [whole.code, whole.stdout], line.join(" "));
    assert.equal(asked.stderr, programs(whole.stderr), line.join(" "));
  }
});

leakTest(
  "what belongs to the launchers lies where a system looks for it, and is what the built program prints",
  async () => {
    const folder = await built();
    const completions = {
      bash: "bash-completion/completions/konnectivity",
      zsh: "zsh/site-functions/_konnectivity",
      fish: "fish/vendor_completions.d/konnectivity.fish",
    };
    for (const [shell, path] of Object.entries(completions)) {
      const { code, stdout, stderr } = await run([`${folder}/bin/konnectivity`, "completion", shell]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, await Deno.readTextFile(`${folder}/share/${path}`));
    }
    const pages = await Array.fromAsync(Deno.readDir(`${folder}/share/man/man8`), ({ name }) => name);
    assert.deepEqual(pages.sort(), ["http-test-server.8", "proxy-agent.8", "proxy-server.8", "proxy-test-client.8"]);
    assert.match(await Deno.readTextFile(`${folder}/share/man/man1/konnectivity.1`), /^\.TH KONNECTIVITY 1 /);
    const wrong = await run([`${folder}/bin/konnectivity`, "completion", "csh"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^Error: one of bash, zsh, fish is needed, got "csh"/);
  },
);

leakTest("a role's bundle holds no code of the other role, of what reads YAML, or of the page", async () => {
  const folder = `${await built()}/dist`;
  const sentences = {
    "server.js": "proxy server {",
    "agent.js": "proxy agent {",
    "kubeconfig.js": "Map keys must be unique",
  };
  for (const file of Object.keys(sentences)) {
    const text = await Deno.readTextFile(`${folder}/${file}`);
    const held = Object.entries(sentences).filter(([, sentence]) => text.includes(sentence)).map(([name]) => name);
    assert.deepEqual(held, [file]);
  }
});

leakTest("the map beside the bundle leads to a text that names each source", async () => {
  const bundle = `${await built()}/dist/konnectivity.js`;
  const payload = JSON.parse(await Deno.readTextFile(`${bundle}.map`)) as SourceMapPayload;
  const map = new SourceMap(payload);
  const text = await Deno.readTextFile(bundle);
  const sentence = "no hello in ";
  const lines = text.slice(0, text.indexOf(sentence)).split("\n");
  const entry = map.findEntry(lines.length - 1, lines.at(-1)?.length ?? 0);
  assert.ok("originalLine" in entry, JSON.stringify(entry));
  const readable = payload.sourcesContent[0]?.split("\n") ?? [];
  assert.ok(readable[entry.originalLine]?.includes(sentence), JSON.stringify(entry));
  assert.ok(readable.includes("// src/net/direct/direct_link.ts"));
});
