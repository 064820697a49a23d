import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { fileURLToPath } from "node:url";
import { file_client_client } from "../../../gen/client/client_pb.ts";
import { buildOnce } from "../../support/processes/build_once.ts";
import { whyMissing } from "../../support/assert/needed.ts";
import type { TestCertificateFiles } from "../../support/in_process/test_certificates.ts";

/** A gRPC client that is neither ours nor the original's. Each of the two programs beside this one plays all scenarios. */
export interface ForeignClient {
  readonly name: string;
  /** Why it cannot be run here; undefined where it can. */
  readonly why: string | undefined;
  /** Its command line, before what is asked of it; what it needs is installed first. */
  command(): Promise<readonly string[]>;
}

const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const nodeFolder = "tests/conformance/clients/node";
/** Debian's own, whose packages another one does not see. */
const python = "/usr/bin/python3";

export const foreignClients: readonly ForeignClient[] = [
  {
    name: "grpc-js",
    why: await whyMissing({ nodejs: ["node", "--version"], npm: ["npm", "--version"] }),
    command: async () => ["node", place("node/grpc_js_client.mjs"), await installed()],
  },
  {
    name: "gRPC's C core",
    why: await whyMissing({
      "python3-grpcio": [python, "-c", "import grpc"],
      "python3-protobuf": [python, "-c", "import google.protobuf"],
    }),
    command: () => Promise.resolve([python, place("grpcio_client.py")]),
  },
];

/** Installs what the client of Node needs, once, by the lock file beside it. @returns the folder */
function installed(): Promise<string> {
  const files = ["package.json", "package-lock.json"];
  return buildOnce({
    name: "grpc-js",
    sources: files.map((file) => `${nodeFolder}/${file}`),
    key: "",
    build: async (folder) => {
      for (const file of files) await Deno.copyFile(place(`node/${file}`), `${folder}/${file}`);
      const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
      const { code, stderr } = await new Deno.Command("npm", { args, cwd: folder, stdin: "null" }).output();
      if (code !== 0) throw new Error(`npm ci failed:\n${new TextDecoder().decode(stderr)}`);
    },
  });
}

/** Where a client goes, and as whom. */
export interface ClientPlace {
  /** `unix:PATH` or host:port. */
  readonly target: string;
  /** Of TLS; without them it is clear text. */
  readonly certificates?: Partial<Pick<TestCertificateFiles, "caCert" | "clientCert" | "clientKey">>;
  /** A folder for the client's files. */
  readonly folder: string;
}

/** What a client is to do. */
export type Scenario =
  /** Sends the pattern to an echo, ends its direction, and takes all of it back. */
  | { readonly scenario: "transfer"; readonly destination: string; readonly bytes: number; readonly features: string }
  /** One exchange with an echo, and a close. */
  | { readonly scenario: "close"; readonly destination: string; readonly features?: string }
  /** A dial that fails. */
  | { readonly scenario: "refused"; readonly destination: string }
  /** One exchange with an echo, and the call is cancelled. */
  | { readonly scenario: "cancel"; readonly destination: string }
  /** A message that is no packet, in hexadecimal digits. */
  | { readonly scenario: "garbage"; readonly bytes: string }
  /** One call of a method, with a message of zeros. */
  | { readonly scenario: "unary"; readonly path: string; readonly requestBytes?: number };

/** What it saw; what a scenario does not have is absent. */
export interface Seen {
  /** gRPC's status code. */
  readonly status: number;
  readonly message: string;
  /** Packets that came although none were asked for. */
  readonly packets?: number;
  readonly received?: number;
  /** Offset of the first byte that is not the one that was sent; -1 where there is none. */
  readonly wrongAt?: number;
  /** The error of CLOSE_RSP; empty where it came in order. */
  readonly closed?: string;
  readonly answer?: string;
  /** The error of DIAL_RSP. */
  readonly error?: string;
}

/** Runs a client once, and lets it play scenarios in turn. @returns what it saw of each */
export async function runForeign(
  client: ForeignClient,
  { target, certificates = {}, folder }: ClientPlace,
  ...scenarios: readonly Scenario[]
): Promise<readonly Seen[]> {
  const descriptors = `${folder}/descriptors.binpb`;
  const set = create(FileDescriptorSetSchema, { file: [file_client_client.proto] });
  await Deno.writeFile(descriptors, toBinary(FileDescriptorSetSchema, set));
  const { caCert, clientCert, clientKey } = certificates;
  const asked = [{ target, ca: caCert, cert: clientCert, key: clientKey, descriptors }, scenarios];
  const [command = "", ...args] = await client.command();
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args, JSON.stringify(asked)],
    // C core asks the environment for a proxy, also on the way to this machine.
    env: { no_proxy: "*", NODE_NO_WARNINGS: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (code !== 0) {
    throw new Error(`${client.name} ended with code ${code}: ${text.decode(stdout)}${text.decode(stderr)}`);
  }
  return JSON.parse(text.decode(stdout)) as Seen[];
}
