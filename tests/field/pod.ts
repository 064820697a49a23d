import { builtProject } from "../support/processes/built_project.ts";
import { isForeign, launcherOf, Program } from "../support/processes/processes.ts";
import { type FieldContent, type FieldFile, type FieldProgram, imageUser } from "./field_case.ts";
import { expanded, fileOf } from "./kubelet.ts";
import type { Lane, Machine } from "./lane.ts";

/** What Containerfile sets, the folder of the runtime's cache included, which no manifest of others has. */
const imageEnvironment = ["PATH=/usr/bin", "DENO_NO_UPDATE_CHECK=1", "DENO_DIR=/cache", "NO_COLOR=1"];
/** What the launchers call, as the image has it. */
const tools = ["sh", "readlink", "dirname", "head"];

/**
 * Runs in a mount namespace of its own: $1 becomes the root, with this machine's libraries at /host/usr, the project at /app
 * or another implementation's program in its place; $3 says whether the root is read-only, $4 what setpriv takes.
 */
const enter = `set -e
root=$1 program=$2 readonly=$3 privileges=$4
shift 4
mount --bind "$root" "$root"
mount --bind /usr "$root/host/usr"
if [ -d "$program" ]; then
  for part in bin dist; do mount --bind "$program/$part" "$root/app/$part"; done
else
  mount --bind "$program" "$root/program"
fi
mount --bind "$DENO_BINARY" "$root/usr/bin/deno"
mount --bind /dev/null "$root/dev/null"
mount -t proc proc "$root/proc"
for each in "$root".volumes/*; do
  if [ -d "$each" ]; then mount --bind "$each" "$root$(cat "$each.path")"; fi
done
mount -o remount,ro,bind "$root/host/usr"
[ "$readonly" = false ] || mount -o remount,ro,bind "$root"
exec chroot "$root" /host/usr/bin/setpriv $privileges /host/usr/bin/env -i "$@"
`;

/** A container on one of a lane's machines: its files, and its program once it was started. */
export class Pod {
  readonly #lane: Lane;
  readonly #machine: Machine;
  readonly #program: FieldProgram;
  readonly #root: string;
  /** Folders that the program may write to: where they lie on this machine, by their path in the pod. */
  readonly #volumes = new Map<string, string>();

  /** @param root a path that does not exist, for its root; beside it lie its volumes */
  constructor(lane: Lane, machine: Machine, program: FieldProgram, root: string) {
    this.#lane = lane;
    this.#machine = machine;
    this.#program = program;
    this.#root = root;
  }

  /** Lays the files out. @param textOf what a file of that kind holds; undefined for a folder */
  async prepare(textOf: (content: FieldContent) => Promise<string | undefined>): Promise<void> {
    const root = this.#root;
    for (const folder of ["app/bin", "app/dist", "dev", "etc", "host/usr", "proc", "tmp", "usr/bin"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true, mode: 0o755 });
    }
    await Deno.mkdir(`${root}.volumes`);
    await Deno.chmod(`${root}/tmp`, 0o1777);
    for (const link of ["bin", "sbin"]) await Deno.symlink("usr/bin", `${root}/${link}`);
    for (const link of ["lib", "lib64"]) await Deno.symlink(`host/usr/${link}`, `${root}/${link}`);
    for (const tool of tools) await Deno.symlink(`/host/usr/bin/${tool}`, `${root}/usr/bin/${tool}`);
    for (const file of ["usr/bin/deno", "dev/null", "program"]) await Deno.writeTextFile(`${root}/${file}`, "");
    const name = `proxy-${this.#machine}`;
    const target = isForeign(this.#machine) ? "/program" : `/app/bin/${name}`;
    // Where the original's images have them, and OpenShift's.
    for (const path of [name, `usr/bin/${name}`]) await Deno.symlink(target, `${root}/${path}`);
    const hosts = { localhost: "127.0.0.1", ...this.#program.hosts };
    const lines = Object.entries(hosts).map(([host, address]) => `${address} ${host}\n`);
    await Deno.writeTextFile(`${root}/etc/hosts`, lines.join(""));
    // A name server that answers nothing at once: who asks it has no route.
    await Deno.writeTextFile(`${root}/etc/resolv.conf`, "nameserver 127.0.0.53\n");
    const files = Object.entries(this.#program.files).map(([path, file]) => ({ path, file: fileOf(file) }));
    // Folders first: files may lie in them.
    const inOrder = [true, false].flatMap((isFolder) =>
      files.filter(({ file }) => (file.content === "folder") === isFolder)
    );
    for (const { path, file } of inOrder) await this.#mount(path, file, await textOf(file.content));
  }

  /** Where a path of the pod lies on this machine. */
  outside(path: string): string {
    for (const [mounted, volume] of this.#volumes) {
      if (path.startsWith(`${mounted}/`)) return volume + path.slice(mounted.length);
    }
    return `${this.#root}${path}`;
  }

  async #mount(path: string, file: FieldFile, text: string | undefined): Promise<void> {
    const { uid, gid } = file.owner ?? { uid: 0, gid: 0 };
    const place = this.outside(path);
    if (text === undefined) {
      await Deno.mkdir(place, { recursive: true, mode: 0o755 });
      const volume = `${this.#root}.volumes/${this.#volumes.size}`;
      this.#volumes.set(path, volume);
      await Deno.mkdir(volume);
      await Deno.writeTextFile(`${volume}.path`, path);
      await Deno.chown(volume, uid, gid);
      await Deno.chmod(volume, file.mode ?? 0o777);
      return;
    }
    await Deno.mkdir(place.slice(0, place.lastIndexOf("/")), { recursive: true, mode: 0o755 });
    await Deno.writeTextFile(place, text);
    await Deno.chown(place, uid, gid);
    await Deno.chmod(place, file.mode ?? 0o644);
  }

  /** Starts the container's program as it is described, `$(NAME)` expanded. */
  async start(): Promise<Program> {
    const { env = {}, user = imageUser, dropsCapabilities, noNewPrivileges, readOnlyRootFilesystem } = this.#program;
    const groups = user.groups === undefined ? "--clear-groups" : `--groups=${user.groups.join(",")}`;
    const privileges = [
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      groups,
      // Who is not root has none of them anyway, and can get none back.
      ...(dropsCapabilities === true ? ["--inh-caps=-all", "--bounding-set=-all"] : []),
      ...(noNewPrivileges === true ? ["--no-new-privs"] : []),
    ];
    const [foreign = "", ...more] = isForeign(this.#machine) ? await launcherOf(this.#machine) : [];
    if (more.length > 0) throw new Error("another implementation is a program alone here, without arguments");
    return new Program(`${this.#machine} ${this.#program.command[0]}`, [
      ...this.#lane.inside(this.#machine),
      "unshare",
      "--mount",
      "sh",
      "-c",
      enter,
      "pod",
      this.#root,
      foreign === "" ? await builtProject() : foreign,
      String(readOnlyRootFilesystem ?? false),
      privileges.join(" "),
      ...imageEnvironment,
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      ...expanded(this.#program),
    ], { DENO_BINARY: Deno.execPath() });
  }
}
