import assert from "node:assert/strict";
import { createServer } from "node:net";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { type Destination, echoDestination } from "../support/in_process/destinations.ts";
import { freePort } from "../support/processes/free_port.ts";
import { agentFlagsOf, serverFlagsOf } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { launcherOf, Program } from "../support/processes/processes.ts";
import {
  makeTestCertificates,
  type TestCertificateFiles,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";

/** A start that must fail. */
interface Attempt {
  readonly name: string;
  readonly role: "server" | "agent";
  /** What is behind the sound flags. */
  readonly flags: (files: Files) => readonly string[];
  /** What the one line of its failure says. */
  readonly told: (files: Files) => readonly string[];
}

/** What attempts are made with. */
interface Files extends TestCertificateFiles {
  readonly folder: string;
  /** A destination, whose port is taken. */
  readonly taken: Destination;
  /** A Unix socket that somebody serves. */
  readonly servedSocket: string;
}

async function withFiles(body: (files: Files) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  const socket = createServer();
  try {
    const servedSocket = `${folder}/served.sock`;
    await new Promise<void>((resolve) => socket.listen(servedSocket, resolve));
    await using taken = await echoDestination();
    const certificates = await testCertificates();
    const files = await writeTestCertificates(folder, certificates);
    const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text, { mode: 0o600 });
    const validity = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const old = await issueLeaf(certificates.ca, {
      commonName: "old",
      usages: ["server", "client"],
      keyKind: "p-256",
      validity,
    });
    await write("garbage.pem", "what is this?\n");
    await write("undecodable.crt", `-----BEGIN CERTIFICATE-----\n${btoa("nothing")}\n-----END CERTIFICATE-----\n`);
    await write("other.key", (await makeTestCertificates("another CA")).server.keyPem);
    await write("old.crt", old.certPem);
    await write("old.key", old.keyPem);
    await body({ ...files, folder, taken, servedSocket });
  } finally {
    await new Promise((resolve) => socket.close(resolve));
    await Deno.remove(folder, { recursive: true });
  }
}

/** Sound flags of a role, on ports that are free. */
async function soundFlags(role: "server" | "agent", files: Files): Promise<readonly string[]> {
  const ports = { a: await freePort(), b: await freePort(), c: await freePort(), d: await freePort() };
  if (role === "agent") {
    return [
      ...agentFlagsOf(files, files.taken.port),
      "--health-server-host=127.0.0.1",
      `--health-server-port=${ports.a}`,
      `--admin-server-port=${ports.b}`,
    ];
  }
  return [
    ...serverFlagsOf("grpc-tls", { certificates: files, uds: "", port: ports.a }),
    ...["agent", "health", "admin"].map((listener) => `--${listener}-bind-address=127.0.0.1`),
    `--agent-port=${ports.b}`,
    `--health-port=${ports.c}`,
    `--admin-port=${ports.d}`,
  ];
}

const onSocket = (path: string) => [
  "--server-port=0",
  "--server-ca-cert=",
  "--server-cert=",
  "--server-key=",
  `--uds-name=${path}`,
];

const taken = (listener: string, flag: string): Attempt => ({
  name: `[server W28] the server's port for ${listener} is taken`,
  role: "server",
  flags: ({ taken: { port } }) => [`${flag}=${port}`],
  told: ({ taken: { address } }) => [`cannot listen on ${address}: address already in use, stop who uses it or choose`],
});

const attempts: readonly Attempt[] = [
  taken("clients", "--server-port"),
  taken("agents", "--agent-port"),
  {
    name: "[server W27] the server's socket is served by a process that lives",
    role: "server",
    flags: ({ servedSocket }) => onSocket(servedSocket),
    told: ({ servedSocket }) => [
      `cannot listen on ${servedSocket}: another process serves this socket; stop it or choose another path`,
    ],
  },
  {
    name: "[server W27] the path of the server's socket is a file of another kind",
    role: "server",
    flags: ({ folder }) => onSocket(`${folder}/garbage.pem`),
    told: ({ folder }) => [`cannot listen on ${folder}/garbage.pem: the file exists and is not a socket; remove it or`],
  },
  {
    name: "[server W27] the folder of the server's socket is missing",
    role: "server",
    flags: ({ folder }) => onSocket(`${folder}/none/s.sock`),
    told: ({ folder }) => [`cannot listen on ${folder}/none/s.sock: `],
  },
  {
    name: "[server W28] the server's address is none of this machine",
    role: "server",
    flags: () => ["--agent-bind-address=192.0.2.1"],
    told: () => ["cannot listen on 192.0.2.1:", "no interface of this machine has the address"],
  },
  {
    name: "the server's certificate is garbage",
    role: "server",
    flags: ({ folder }) => [`--server-cert=${folder}/garbage.pem`],
    told: ({ folder }) => [`${folder}/garbage.pem holds no certificate`],
  },
  {
    name: "the server's certificate cannot be decoded",
    role: "server",
    flags: ({ folder }) => [`--cluster-cert=${folder}/undecodable.crt`],
    told: ({ folder }) => [`${folder}/undecodable.crt holds a certificate that cannot be decoded`],
  },
  {
    name: "the server's key is garbage",
    role: "server",
    flags: ({ folder }) => [`--server-key=${folder}/garbage.pem`],
    told: ({ folder }) => [`${folder}/garbage.pem: the private key cannot be read`],
  },
  {
    name: "the server's key belongs to another certificate",
    role: "server",
    flags: ({ folder }) => [`--cluster-key=${folder}/other.key`],
    told: ({ folder }) => [`${folder}/other.key: private key does not match public key`],
  },
  {
    name: "the server's authorities are missing",
    role: "server",
    flags: ({ folder }) => [`--cluster-ca-cert=${folder}/none.crt`],
    told: ({ folder }) => [`error checking cluster CA cert ${folder}/none.crt`],
  },
  {
    name: "the server's authorities are garbage",
    role: "server",
    flags: ({ folder }) => [`--server-ca-cert=${folder}/garbage.pem`],
    told: ({ folder }) => [`${folder}/garbage.pem holds no certificate`],
  },
  {
    name: "the server's certificate has expired",
    role: "server",
    flags: ({ folder }) => [`--server-cert=${folder}/old.crt`, `--server-key=${folder}/old.key`],
    told: ({ folder }) => [`${folder}/old.crt expired on`, "renew it"],
  },
  {
    name: "the agent's certificate has expired",
    role: "agent",
    flags: ({ folder }) => [`--agent-cert=${folder}/old.crt`, `--agent-key=${folder}/old.key`],
    told: ({ folder }) => [`${folder}/old.crt expired on`, "renew it"],
  },
  {
    name: "the agent's key belongs to another certificate",
    role: "agent",
    flags: ({ folder }) => [`--agent-key=${folder}/other.key`],
    told: ({ folder }) => [`${folder}/other.key: private key does not match public key`],
  },
];

for (const { name, role, flags, told } of attempts) {
  leakTest(`${name}: it says so and ends with 1`, async () => {
    await withFiles(async (files) => {
      const command = [...await launcherOf(role), ...await soundFlags(role, files), ...flags(files)];
      const program = new Program(role, command);
      assert.equal((await program.ended).code, 1, program.tail());
      await program.stop();
      for (const words of told(files)) assert.ok(program.log.includes(words), `${words}\n${program.tail()}`);
      assert.ok(!/\n\s+at /.test(program.log), `no stack trace is shown\n${program.tail()}`);
    });
  });
}

/** `prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN)`, as systemd does for `MemoryDenyWriteExecute=yes`; then the rest. */
const denyingExecution = [
  "perl",
  "-e",
  `
  my ($prctl, @command) = @ARGV;
  exit 77 if syscall($prctl, 65, 1, 0, 0, 0) != 0;
  exec @command;
`,
];
/** The number of the system's call for it. */
const prctl = Deno.build.arch === "x86_64" ? "157" : "167";

/** Why memory cannot be denied here; undefined where it can. */
async function whyNoDenial(): Promise<string | undefined> {
  try {
    const [perl = "", ...args] = [...denyingExecution, prctl, "true"];
    const { code } = await new Deno.Command(perl, { args, stderr: "null" }).output();
    return code === 0 ? undefined : "Linux 6.3 or newer is needed";
  } catch {
    return "perl is missing";
  }
}

const why = await whyNoDenial();
const denialTitle = "where memory may not become executable, the launcher says what must go from the unit";
if (why === undefined) {
  leakTest(denialTitle, async () => {
    const program = new Program("agent", [...denyingExecution, prctl, ...await launcherOf("agent"), "--version"]);
    const { code } = await program.ended;
    await program.stop();
    assert.equal(code, 1, program.tail());
    assert.match(program.log.trimEnd().split("\n").at(-1) ?? "", /^Error: .*take MemoryDenyWriteExecute=yes out/);
  });
} else Deno.test({ name: `${denialTitle} (skipped: ${why})`, ignore: true, fn: () => {} });
