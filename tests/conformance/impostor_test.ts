import assert from "node:assert/strict";
import { connect, type ConnectionOptions } from "node:tls";
import { X509Certificate } from "node:crypto";
import { issueAuthority } from "../../src/programs/certs/issue.ts";
import { verifiedServer } from "../../src/runtime/tls/server_identity.ts";
import { derAt, derBody, derChildren, derTag, derWhole } from "../../src/runtime/tls/der.ts";
import { agentFlagsOf } from "../support/processes/launched.ts";
import { opensslCertificate } from "../support/in_process/openssl.ts";
import { commandOf, startAgent } from "../support/processes/processes.ts";
import { Stack } from "../support/in_process/stack.ts";
import { testCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { goTest, peer } from "./go_peers.ts";

// Certificates are public. What makes somebody their holder is the proof, in each handshake, that he has their key.

const versions = ["1.2", "1.3"] as const;

/** What a certificate looks like where somebody has changed what its issuer's signature does not cover. */
const changes: Readonly<Record<string, (der: Uint8Array) => Uint8Array>> = {
  "as it is": (der) => der,
  "with an unused bit in its signature": (der) => {
    const signature = derChildren(derAt(der, 0)).at(-1);
    assert.ok(signature !== undefined);
    const changed = der.slice();
    changed[signature.body] = 1;
    return changed;
  },
  "with an element behind its signature": (der) => element(derTag.sequence, [derBody(derAt(der, 0)), [5, 0]]),
  "with an algorithm that has other parameters": (der) => {
    const [signed, algorithm, signature] = derChildren(derAt(der, 0));
    assert.ok(signed !== undefined && algorithm !== undefined && signature !== undefined);
    const other = element(derTag.sequence, [derBody(algorithm), [5, 0]]);
    return element(derTag.sequence, [derWhole(signed), other, derWhole(signature)]);
  },
};

/** An element of 256 to 65,535 bytes, or less than 128. */
function element(tag: number, parts: readonly (readonly number[] | Uint8Array)[]): Uint8Array {
  const body = parts.flatMap((part) => [...part]);
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return new Uint8Array([tag, ...length, ...body]);
}

function pemOf(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${der.toBase64()}\n-----END CERTIFICATE-----\n`;
}

/** Files of a certificate, changed, and of a key that is another's. */
async function stolen(folder: string, certPem: string, change: (der: Uint8Array) => Uint8Array): Promise<string[]> {
  const own = await opensslCertificate({ subject: "/CN=impostor", extensions: ["basicConstraints=CA:FALSE"] });
  await Deno.writeTextFile(`${folder}/stolen.crt`, pemOf(change(new Uint8Array(new X509Certificate(certPem).raw))));
  await Deno.writeTextFile(`${folder}/own.key`, own.keyPem);
  await Deno.writeTextFile(`${folder}/own.key.crt`, own.certPem);
  return ["-cert", `${folder}/stolen.crt`, "-key", `${folder}/own.key`];
}

/** What came of a connection to an impostor, or of his to somebody. */
interface Outcome {
  readonly heard: string;
  readonly error: string;
}

/** A server without the key of its certificate. */
class Impostor implements AsyncDisposable {
  readonly outcomes: Outcome[] = [];
  readonly port: number;
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(process: Deno.ChildProcess, port: number, lines: AsyncIterator<string>) {
    this.#process = process;
    this.port = port;
    this.#reading = (async () => {
      for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
        this.outcomes.push(JSON.parse(next.value));
      }
    })();
  }

  static async start(args: readonly string[]): Promise<Impostor> {
    const process = new Deno.Command(await peer("impostor"), {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = linesOf(process.stdout);
    const { value } = await lines.next();
    return new Impostor(process, Number(value), lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await Promise.all([this.#process.status, this.#reading]);
  }
}

async function* linesOf(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, void> {
  let held = "";
  for await (const text of bytes.pipeThrough(new TextDecoderStream())) {
    const lines = `${held}${text}`.split("\n");
    held = lines.pop() ?? "";
    yield* lines;
  }
}

/** Says something to a server once it is taken for the right one. @returns `taken`, or the error's code */
function meet(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ...options });
    socket.once("secureConnect", () => {
      socket.end("a secret");
      resolve("taken");
    });
    socket.once("error", (error) => resolve(String(Reflect.get(error, "code"))));
  });
}

goTest("nobody is a server by another's certificate, also where he has changed what no signature covers", async () => {
  const { ca, server } = await testCertificates();
  const folder = await Deno.makeTempDir();
  let passedOver = 0;
  try {
    for (const [how, change] of Object.entries(changes)) {
      const files = await stolen(folder, server.certPem, change);
      for (const version of versions) {
        await using impostor = await Impostor.start([...files, "-version", version]);
        const trusted = { ca: ca.certPem, ...verifiedServer(ca.certPem) };
        assert.notEqual(await meet(impostor.port, trusted), "taken", `${how}, TLS ${version}`);
        await until("the impostor has seen it end", () => impostor.outcomes.length === 1);
        assert.equal(impostor.outcomes[0]?.heard, "", `${how}, TLS ${version}`);
        if (await meet(impostor.port, { ca: ca.certPem, rejectUnauthorized: true }) === "taken") passedOver++;
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assert.ok(passedOver > 0, "the runtime asks for the proof now, see certificate_form.ts");
});

goTest("an agent says nothing to a server without the key of its certificate", async () => {
  await using stack = await Stack.open();
  const { server } = await testCertificates();
  for (const [how, change] of Object.entries(changes)) {
    await using impostor = await Impostor.start(await stolen(stack.dir, server.certPem, change));
    const flags = agentFlagsOf(stack.certificates, impostor.port);
    await using _agent = await startAgent(flags, {}, await commandOf("agent"));
    await until("the agent has tried", () => impostor.outcomes.length > 1);
    assert.equal(impostor.outcomes.map(({ heard }) => heard).join(""), "", how);
  }
});

goTest("nobody is a client by another's certificate, also where the runtime gets no CA", async () => {
  await using stack = await Stack.open();
  const { ca, client } = await testCertificates();
  const many = await Promise.all(
    Array.from({ length: 145 }, (_, at) =>
      issueAuthority({
        commonName: `one of a great number of authorities with a name that is rather long, this being number ${at}`,
        keyKind: "p-256",
      })),
  );
  await Deno.writeTextFile(`${stack.dir}/many`, [ca, ...many].map(({ certPem }) => certPem).join(""));
  const say = "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n";
  for (const cas of [stack.certificates.caCert, `${stack.dir}/many`]) {
    const { port } = await stack.server("connect-tls", `--server-ca-cert=${cas}`);
    for (const [how, change] of Object.entries(changes)) {
      const files = await stolen(stack.dir, client.certPem, change);
      for (const version of versions) {
        const { code, stdout } = await new Deno.Command(await peer("impostor"), {
          args: [...files, "-version", version, "-connect", `127.0.0.1:${port}`, "-say", say],
          stdin: "null",
        }).output();
        assert.equal(code, 0);
        const { heard }: Outcome = JSON.parse(new TextDecoder().decode(stdout));
        assert.equal(heard, "", `${how}, TLS ${version}`);
      }
    }
  }
});
