import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "../../tools/build.ts";
import { Program } from "../support/processes/processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What Containerfile sets. */
const environment = ["PATH=/app/tools:/usr/bin", "DENO_NO_UPDATE_CHECK=1", "DENO_DIR=/cache", "NO_COLOR=1"];

/**
 * Runs in a mount namespace of its own: the image's files read-only, /proc and /dev/null as a container has them, and one
 * folder that is writable at /vol. $1 is the image, $2 the folder.
 */
const enter = `set -e
image=$1 volume=$2
shift 2
mount --bind "$image" "$image"
mount -t proc proc "$image/proc"
mount --bind /dev/null "$image/dev/null"
mount --bind "$volume" "$image/vol"
mount -o remount,ro,bind "$image"
exec chroot --userspec=65532:65532 --groups= "$image" /app/tools/busybox env -i "$@"
`;

/** The files of the images, as Containerfile puts them together, with the libraries of the distroless base. */
export class Image implements AsyncDisposable {
  readonly #dir: string;
  /** Writable for the programs, as /vol. */
  readonly volume: string;

  private constructor(dir: string) {
    this.#dir = dir;
    this.volume = `${dir}/volume`;
  }

  /** Puts an image together. @throws when that fails */
  static async assemble(): Promise<Image> {
    const image = new Image(await Deno.makeTempDir({ prefix: "image-" }));
    try {
      await image.#assemble();
      return image;
    } catch (error) {
      await image[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #files(): string {
    return `${this.#dir}/root`;
  }

  async #assemble(): Promise<void> {
    const built = `${this.#dir}/built`;
    if (await build(built) !== 0) throw new Error("the bundle cannot be built");
    const busybox = (await output("sh", "-c", "command -v busybox")).trim();
    const assembled = `${this.#dir}/assembled`;
    await output("sh", `${root}/tools/image/assemble.sh`, built, Deno.execPath(), busybox, assembled);
    await Deno.mkdir(this.#files);
    for (const { sources, target } of await copies()) {
      for (const source of sources) await copyAsBuilders(`${assembled}${source}`, `${this.#files}${target}`);
    }
    for (const folder of ["proc", "dev", "vol"]) await Deno.mkdir(`${this.#files}/${folder}`, { recursive: true });
    await Deno.writeTextFile(`${this.#files}/dev/null`, "");
    const libraries = (await output("ldd", Deno.execPath())).match(/\/\S+/g) ?? [];
    for (const library of libraries) {
      const path = this.#files + library;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.copyFile(library, path);
    }
    await Deno.mkdir(this.volume);
    await Deno.chmod(this.volume, 0o777);
    // Other users have to get through.
    await Deno.chmod(this.#dir, 0o755);
  }

  /** Writes what a pod finds of its service account. */
  async writePodSecrets(token: string, caPem: string): Promise<void> {
    const secrets = `${this.#files}/var/run/secrets/kubernetes.io/serviceaccount`;
    await Deno.mkdir(secrets, { recursive: true });
    await Deno.writeTextFile(`${secrets}/token`, token);
    await Deno.writeTextFile(`${secrets}/ca.crt`, caPem);
  }

  /** Starts what a container would, under its path in the image; before it may stand variables, as NAME=VALUE. */
  run(...command: readonly string[]): Program {
    const path = command.find((word) => word.startsWith("/")) ?? "";
    return new Program(path, [
      "unshare",
      "--mount",
      "sh",
      "-c",
      enter,
      "enter",
      this.#files,
      this.volume,
      ...environment,
      ...command,
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** What the images' common stage copies of the folder that assemble.sh fills, from it and to the image's root. */
async function copies(): Promise<{ readonly sources: readonly string[]; readonly target: string }[]> {
  const text = await Deno.readTextFile(`${root}/Containerfile`);
  const [, stage = ""] = / AS base\n(.*?)\nFROM /s.exec(text) ?? [];
  return [...stage.matchAll(/^COPY --from=files (.*)$/gm)].map(([, words = ""]) => {
    const paths = words.split(" ");
    const target = paths.pop() ?? "";
    return { sources: paths.map((path) => path.replace(/^\/root-of-image/, "")), target };
  });
}

/** Copies as COPY does: what a folder holds as it is, and where a link is named, the file that it leads to. */
async function copyAsBuilders(source: string, target: string): Promise<void> {
  const { isDirectory } = await Deno.stat(source);
  await Deno.mkdir(isDirectory || target.endsWith("/") ? target : dirname(target), { recursive: true });
  await output("cp", ...(isDirectory ? ["-a", `${source}/.`] : ["-L", source]), target);
}

async function output(command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Why nothing can be mounted here for a test alone; undefined where it can. */
export async function whyNoMount(): Promise<string | undefined> {
  return await succeeds("unshare --mount mount -t tmpfs none /mnt") ? undefined : "mounting takes root's rights";
}

/** Why an image cannot be run here; undefined where it can. Installs busybox where that is possible. */
export async function whyNoImage(): Promise<string | undefined> {
  const why = await whyNoMount();
  if (why !== undefined) return why;
  if (await succeeds("command -v busybox")) return undefined;
  await succeeds("apt-get update -q && apt-get install -y -q busybox-static");
  return await succeeds("command -v busybox") ? undefined : "busybox is missing and cannot be installed by apt-get";
}

async function succeeds(...command: readonly string[]): Promise<boolean> {
  return await output("sh", "-c", command.join(" ")).then(() => true, () => false);
}
