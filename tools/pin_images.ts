/**
 * `deno task pin`: writes the digest of every image that is built on behind its tag, in Containerfile and in the workflows.
 * A tag can be moved to another image; a digest is of one image alone. `--check` changes nothing and ends with 1 where one
 * is missing.
 * @module
 */
import { root } from "./binaries.ts";

/** Kinds of manifests that an image's tag may lead to, several architectures first. */
const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** An image as a file names it. */
export interface ImageReference {
  /** Up to the tag, as it stands there. */
  readonly text: string;
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  /** Undefined where it is not pinned. */
  readonly digest: string | undefined;
}

/** Who answers requests; `fetch`, or a stand-in. */
export type Ask = (url: string, init: RequestInit) => Promise<Response>;

/** The images of other registries that a file names in `FROM` lines or as `image:`, with what its `ARG` lines say. */
export function imagesIn(file: string): ImageReference[] {
  const values = new Map(
    Array.from(file.matchAll(/^ARG (\w+)=(\S+)$/gm), ([, name = "", value = ""]) => [name, value]),
  );
  const named =
    /^(?:FROM (?:--\S+ )*|\s+image: )((?:docker|gcr|ghcr)\.io\/[\w./-]+:[^\s@]+)(?:@(sha256:[0-9a-f]{64}))?/gm;
  return Array.from(file.matchAll(named), ([, text = "", digest]) => {
    const whole = text.replace(/\$\{(\w+)\}/g, (_, name: string) => values.get(name) ?? "");
    const [, registry = "", repository = "", tag = ""] = /^([^/]+)\/(.+):([^:]+)$/.exec(whole) ?? [];
    return { text, registry, repository, tag, digest };
  });
}

/** The file with each image's digest behind its tag. */
export async function pinned(file: string, ask: Ask): Promise<string> {
  let result = file;
  for (const image of imagesIn(file)) {
    const digest = await digestOf(image, ask);
    const named = `${image.text}${image.digest === undefined ? "" : `@${image.digest}`}`;
    // Whole words: one tag may begin another.
    result = result.replaceAll(new RegExp(`${RegExp.escape(named)}(?=\\s|$)`, "gm"), `${image.text}@${digest}`);
  }
  return result;
}

/** Asks an image's registry what its tag leads to. @throws when it does not say so */
export async function digestOf({ registry, repository, tag }: ImageReference, ask: Ask): Promise<string> {
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
  const url = `https://${host}/v2/${repository}/manifests/${tag}`;
  const headers = { accept: manifestTypes };
  let response = await ask(url, { method: "HEAD", headers });
  if (response.status === 401) {
    const token = await tokenFor(response.headers.get("www-authenticate") ?? "", ask);
    response = await ask(url, { method: "HEAD", headers: { ...headers, authorization: `Bearer ${token}` } });
  }
  const digest = response.headers.get("docker-content-digest") ?? "";
  if (response.status === 200 && /^sha256:[0-9a-f]{64}$/.test(digest)) return digest;
  throw new Error(`${url} answered ${response.status}, and no digest of ${repository}:${tag}`);
}

/** A token for everyone, from where a registry's refusal says. */
async function tokenFor(challenge: string, ask: Ask): Promise<string> {
  const part = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? "";
  const url = `${part("realm")}?service=${encodeURIComponent(part("service"))}&scope=${
    encodeURIComponent(part("scope"))
  }`;
  const response = await ask(url, {});
  const body: unknown = await response.json();
  const token = typeof body === "object" && body !== null ? Reflect.get(body, "token") : undefined;
  if (typeof token === "string") return token;
  throw new Error(`${url} answered ${response.status}, and no token`);
}

/** The files that name images of others. */
export async function filesWithImages(): Promise<string[]> {
  const workflows = `${root}/.github/workflows`;
  const names = await Array.fromAsync(Deno.readDir(workflows), ({ name }) => `${workflows}/${name}`);
  return [`${root}/Containerfile`, ...names.sort()];
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  let missing = 0;
  for (const path of await filesWithImages()) {
    const text = await Deno.readTextFile(path);
    for (const { text: image, digest } of imagesIn(text)) {
      if (digest !== undefined) continue;
      missing++;
      // deno-lint-ignore no-console -- what a person at a terminal is told
      if (check) console.error(`${path.slice(root.length + 1)}: ${image} has no digest; deno task pin writes it`);
    }
    if (!check) await Deno.writeTextFile(path, await pinned(text, fetch));
  }
  Deno.exit(check && missing > 0 ? 1 : 0);
}
