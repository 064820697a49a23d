/** Arguments of `openssl genpkey` for kinds of keys. */
export const testKeys = {
  p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  p384: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  p521: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
  rsa1024: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
  rsa2048: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  rsaPss: ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
  ed25519: ["-algorithm", "ED25519"],
} as const;

/** A certificate and its key, as PEM text. */
export interface OpensslPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** How openssl is to make a certificate. */
export interface OpensslRequest {
  /** As openssl has it, `/CN=localhost`. */
  readonly subject: string;
  /** Lines of an extension file; none: a certificate of version 1. */
  readonly extensions: readonly string[];
  /** Absent: it signs itself. */
  readonly issuer?: OpensslPair;
  /** Arguments of `openssl genpkey`; absent: P-256. */
  readonly key?: readonly string[];
}

export const authorityExtensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];

/** Has openssl make a certificate, also of kinds that this project's own program would not make. */
export async function opensslCertificate(request: OpensslRequest): Promise<OpensslPair> {
  const dir = await Deno.makeTempDir({ prefix: "openssl-" });
  try {
    const path = (name: string) => `${dir}/${name}`;
    await openssl("genpkey", ...(request.key ?? testKeys.p256), "-out", path("key"));
    await openssl("req", "-new", "-key", path("key"), "-subj", request.subject, "-out", path("csr"));
    const signer = ["x509", "-req", "-in", path("csr"), "-days", "2", "-out", path("crt"), "-set_serial", serial()];
    if (request.extensions.length > 0) {
      await Deno.writeTextFile(path("ext"), request.extensions.join("\n"));
      signer.push("-extfile", path("ext"));
    }
    if (request.issuer === undefined) signer.push("-signkey", path("key"));
    else {
      await Deno.writeTextFile(path("ca.crt"), request.issuer.certPem);
      await Deno.writeTextFile(path("ca.key"), request.issuer.keyPem);
      signer.push("-CA", path("ca.crt"), "-CAkey", path("ca.key"));
    }
    await openssl(...signer);
    return { certPem: await Deno.readTextFile(path("crt")), keyPem: await Deno.readTextFile(path("key")) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/**
 * Runs `openssl s_server` with a certificate, which serves what the runtime would not.
 * @param body gets the port on 127.0.0.1
 */
export async function withOpensslServer<T>(pair: OpensslPair, body: (port: number) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "openssl-" });
  await Deno.writeTextFile(`${dir}/crt`, pair.certPem);
  await Deno.writeTextFile(`${dir}/key`, pair.keyPem);
  const server = new Deno.Command("openssl", {
    args: ["s_server", "-accept", "127.0.0.1:0", "-cert", `${dir}/crt`, "-key", `${dir}/key`],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = server.stdout.getReader();
  try {
    const decoder = new TextDecoder();
    let said = "";
    let port: string | undefined;
    while (port === undefined) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`openssl s_server has ended: ${said}`);
      said += decoder.decode(value, { stream: true });
      port = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
    }
    return await body(Number(port));
  } finally {
    server.kill("SIGKILL");
    await Promise.all([server.stdin.abort().catch(() => {}), reader.cancel(), server.status]);
    await Deno.remove(dir, { recursive: true });
  }
}

function serial(): string {
  return String(1 + Math.floor(Math.random() * 2 ** 40));
}

async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("openssl", { args, stdin: "null", stdout: "null" }).output();
  if (code !== 0) throw new Error(`openssl ${args[0]} failed: ${new TextDecoder().decode(stderr)}`);
}
