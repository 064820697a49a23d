import { ListenError, requireFree } from "../../../net/tcp/listen.ts";
import { connect } from "node:net";
import { owned, ownerOf } from "../../../faults/owned.ts";
import { dirname } from "node:path";
import { type Finding, Findings } from "./finding.ts";
import type { Part } from "./part.ts";

/** Whether the ports and sockets of programs that are to run here are free. */
export async function checkListeners(parts: readonly Part[], running: boolean): Promise<readonly Finding[]> {
  const findings = new Findings("listeners");
  for (const part of parts) {
    if (part.pod !== undefined) continue;
    if (running) {
      findings.skip(part.label, "the program runs, and has its listeners: see the check of its status");
      continue;
    }
    for (const { flag, host, port } of portsOf(part)) {
      try {
        await requireFree({ kind: "tcp", host, port });
        findings.ok(`${part.label}: ${flag}`, `port ${port} is free`);
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
        findings.fail(`${part.label}: ${flag}`, error.message);
      }
    }
    if (part.role === "server" && part.options.udsName !== "") {
      await checkSocket(part.label, part.options.udsName, findings);
    }
  }
  return findings.list;
}

/** The ports that a program listens on. */
export function portsOf(
  part: Part,
): readonly { readonly flag: string; readonly host: string; readonly port: number }[] {
  if (part.role === "agent") {
    const { healthServerHost, healthServerPort, adminBindAddress, adminServerPort } = part.options;
    return [
      { flag: "--health-server-port", host: healthServerHost, port: healthServerPort },
      { flag: "--admin-server-port", host: adminBindAddress, port: adminServerPort },
    ];
  }
  const { options } = part;
  return [
    ...(options.udsName === ""
      ? [{ flag: "--server-port", host: options.serverBindAddress, port: options.serverPort }]
      : []),
    { flag: "--agent-port", host: options.agentBindAddress, port: options.agentPort },
    { flag: "--health-port", host: options.healthBindAddress, port: options.healthPort },
    { flag: "--admin-port", host: options.adminBindAddress, port: options.adminPort },
  ];
}

async function checkSocket(label: string, path: string, findings: Findings): Promise<void> {
  const subject = `${label}: --uds-name`;
  try {
    await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    try {
      const folder = await Deno.stat(dirname(path));
      if (folder.isDirectory) return findings.ok(subject, `${path} is free`);
      return findings.fail(subject, `${dirname(path)} is no folder: make it, for the socket`);
    } catch (missing) {
      if (!(missing instanceof Deno.errors.NotFound)) throw missing;
      return findings.fail(subject, `the folder ${dirname(path)} does not exist: make it, owned by the server's user`);
    }
  }
  if (await answers(path)) {
    return findings.fail(
      subject,
      `somebody listens on ${path}: a server that starts would take its place; end the other one`,
    );
  }
  findings.ok(subject, `${path} is of an earlier run, and nobody listens on it: the server removes it`);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const owner = ownerOf("connection", () => resolve(false));
    const socket = connect({ path });
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", owned(owner, () => end(true)));
    socket.on("error", owned(owner, () => end(false)));
  });
}
