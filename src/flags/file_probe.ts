/** What a path in an option is good for. */
export type FileState =
  | { readonly kind: "readable" }
  | { readonly kind: "missing" }
  | { readonly kind: "unreadable"; /** For a user: why, and what to do. */ readonly why: string };

/** Looks at a path; tests hand in their own. */
export type FileProbe = (path: string) => Promise<FileState>;

/** Whether a file can be read by this process, now. */
export async function probeFile(path: string): Promise<FileState> {
  try {
    const info = await Deno.stat(path);
    if (info.isDirectory) return { kind: "unreadable", why: "it is a directory, a file is needed" };
    // To open a pipe is to wait until somebody writes to it, and takes what they write.
    if (info.isFifo) return { kind: "readable" };
    using _file = await Deno.open(path);
    return { kind: "readable" };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "missing" };
    if (error instanceof Deno.errors.NotCapable) {
      return { kind: "unreadable", why: `the permission sandbox does not allow it, run with --allow-read=${path}` };
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      return { kind: "unreadable", why: "permission denied, check its owner and mode" };
    }
    return { kind: "unreadable", why: error instanceof Error ? error.message : String(error) };
  }
}

/** The error of a missing file in Go's words. */
export function missing(path: string): string {
  return `stat ${path}: no such file or directory`;
}
