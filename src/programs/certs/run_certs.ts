import { CertificateTreeError, type CertificateTreeOptions, makeCertificateTree } from "./certificate_tree.ts";
import type { Printer } from "../terminal.ts";

/** The program `certs`. @returns its exit code: 0, or 1 with a message when the tree cannot be made or used */
export async function runCerts(options: CertificateTreeOptions, printer: Printer): Promise<number> {
  try {
    const { written, kept } = await makeCertificateTree(options);
    if (written.length === 0) {
      printer.out(`nothing to do: ${kept.length} files in ${options.dir} are in order (--force renews them)`);
    } else {
      for (const path of written) printer.out(path);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof CertificateTreeError)) throw error;
    printer.err(`Error: ${error.message}`);
    return 1;
  }
}
