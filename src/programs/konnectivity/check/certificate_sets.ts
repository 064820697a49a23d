import { readBoundedFile } from "../../../runtime/files/bounded_file.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import { Certificate, certificatesIn } from "../../../runtime/tls/certificate.ts";
import type { Purpose } from "../../../runtime/tls/certificate_chain.ts";
import { DerError } from "../../../runtime/tls/der.ts";
import { certificateBlocks } from "../../../runtime/tls/pem.ts";
import type { Part } from "./part.ts";

/** A file that a flag names. */
export interface NamedFile {
  readonly flag: string;
  /** As the command line has it. */
  readonly path: string;
}

/** The certificates of one TLS endpoint. */
export interface CertificateSet {
  readonly part: Part;
  /** Whom it is shown to. */
  readonly peers: "clients" | "agents" | "servers";
  readonly purpose: Purpose;
  readonly cert: NamedFile;
  readonly key: NamedFile;
  readonly ca: NamedFile;
}

/** The TLS endpoints of a program, with empty paths for what is not set. */
export function certificateSets(part: Part): readonly CertificateSet[] {
  const named = (flag: string, path: string): NamedFile => ({ flag: `--${flag}`, path });
  if (part.role === "agent") {
    const { agentCert, agentKey, caCert } = part.options;
    return [{
      part,
      peers: "servers",
      purpose: "client",
      cert: named("agent-cert", agentCert),
      key: named("agent-key", agentKey),
      ca: named("ca-cert", caCert),
    }];
  }
  const { serverCert, serverKey, serverCaCert, clusterCert, clusterKey, clusterCaCert } = part.options;
  return [
    {
      part,
      peers: "clients",
      purpose: "server",
      cert: named("server-cert", serverCert),
      key: named("server-key", serverKey),
      ca: named("server-ca-cert", serverCaCert),
    },
    {
      part,
      peers: "agents",
      purpose: "server",
      cert: named("cluster-cert", clusterCert),
      key: named("cluster-key", clusterKey),
      ca: named("cluster-ca-cert", clusterCaCert),
    },
  ];
}

/** The text of a file; undefined where none is set, or it is not here. @throws what is wrong with it */
export async function readNamed(part: Part, { path }: NamedFile): Promise<string | undefined> {
  const local = path === "" ? undefined : part.local(path);
  return local === undefined ? undefined : await readBoundedFile(local, systemClock);
}

/** The certificates of a file that can be read; undefined where it cannot, which the check of certificates says. */
export async function certificatesOf(part: Part, file: NamedFile): Promise<readonly Certificate[] | undefined> {
  try {
    const text = await readNamed(part, file);
    return text === undefined ? undefined : certificatesIn(text);
  } catch {
    return undefined;
  }
}

/** The own certificate of PEM text, which stands first. @throws {DerError} */
export function leafOf(pem: string): Certificate {
  const [block] = certificateBlocks(pem);
  if (block === undefined) throw new DerError("there is no certificate");
  return new Certificate(block);
}

/** A distinguished name in one line. */
export function oneLine(name: string): string {
  return name.trim().replaceAll("\n", ", ").slice(0, 100);
}
