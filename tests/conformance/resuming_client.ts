import { Buffer } from "node:buffer";
import { helloFrame, linkProtocol } from "../../src/wire/link_frame.ts";
import { metadataKeys } from "../../src/wire/metadata.ts";
import { peer } from "./go_peers.ts";

/** What a listener speaks once TLS is up. */
export type Spoken = "http2" | "direct link" | "HTTP CONNECT";

/** One connection of a client that keeps TLS sessions. */
export interface Attempt {
  readonly port: number;
  readonly speaks: Spoken;
  /** Names its store of sessions. */
  readonly cache: string;
  /** Keeps the first session for ever and offers it each time. */
  readonly stubborn?: boolean;
  /** The one version of TLS that it knows; absent: both. */
  readonly version?: "1.2" | "1.3";
  /** Files; absent: no certificate. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}

/** What became of it. */
export interface Attempted {
  readonly resumed: boolean;
  readonly version: string;
  /** The server has sent something. */
  readonly served: boolean;
  readonly error: string;
}

const speech: Readonly<Record<Spoken, { readonly alpn: readonly string[]; readonly say: Uint8Array }>> = {
  // The preface and empty SETTINGS, which are answered with SETTINGS.
  "http2": {
    alpn: ["h2"],
    say: Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
  },
  "direct link": { alpn: [linkProtocol], say: helloFrame({ [metadataKeys.agentId]: "resuming" }) },
  "HTTP CONNECT": { alpn: [], say: Buffer.from("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n") },
};

/** A Go client that resumes TLS sessions, as crypto/tls does it. */
export class ResumingClient implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #read = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.#reader = process.stdout.getReader();
  }

  static async start(): Promise<ResumingClient> {
    const command = new Deno.Command(await peer("resume"), { stdin: "piped", stdout: "piped", stderr: "inherit" });
    return new ResumingClient(command.spawn());
  }

  /** Connects, says what the listener speaks, and waits for its answer or its end. */
  async attempt({ port, speaks, cache, stubborn, version, certificate }: Attempt): Promise<Attempted> {
    const { alpn, say } = speech[speaks];
    const line = JSON.stringify({
      address: `127.0.0.1:${port}`,
      cache,
      stubborn: stubborn === true,
      version: version ?? "",
      ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
      alpn,
      say: Buffer.from(say).toString("base64"),
    });
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    return JSON.parse(await this.#line());
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#read.indexOf("\n");
      if (end >= 0) {
        const line = this.#read.slice(0, end);
        this.#read = this.#read.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the resuming client has ended");
      this.#read += new TextDecoder().decode(value);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#process.status;
  }
}
