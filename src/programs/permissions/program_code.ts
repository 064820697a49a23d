/** Where the code of a program lies. The runtime loads what a module names freely, and asks for what is named at run time. */
export interface ProgramCode {
  /** Its own files, which a worker is run with. */
  readonly own: readonly string[];
  /** What it loads to read a kubeconfig, and when somebody looks at its page; none where its own files have that. */
  readonly kubeconfig: readonly string[];
  readonly page: readonly string[];
}

/** A program whose files have all that it needs. */
export function wholeCode(own: readonly string[]): ProgramCode {
  return { own, kubeconfig: [], page: [] };
}
