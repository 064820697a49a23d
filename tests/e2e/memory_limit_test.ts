/** How the launchers find the limit of memory, over the files of systems of both versions of control groups. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const launcher = await Deno.readTextFile(fileURLToPath(new URL("../../tools/launch.sh", import.meta.url)));
const reader = /^memory_limit\(\) \{$.*?^\}$/ms.exec(launcher)?.[0];

/** The shells that launchers run in: a machine's own, and that of the images where it is here. */
const shells = [["sh"], ["busybox", "sh"]].filter(([shell = "", ...args]) => {
  try {
    return new Deno.Command(shell, { args: [...args, "-c", "true"], stdin: "null" }).outputSync().success;
  } catch {
    return false;
  }
});

type Files = Readonly<Record<string, string>>;

/** What the launcher finds, in every shell. @param own a limit that the environment names */
async function limitOf(files: Files, own = ""): Promise<string> {
  if (reader === undefined) throw new Error("tools/launch.sh has no memory_limit");
  const root = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${root}${dirname(path)}`, { recursive: true });
      await Deno.writeTextFile(`${root}${path}`, text);
    }
    const found: string[] = [];
    for (const [shell = "", ...args] of shells) {
      // As the launcher is when it calls it.
      const script: string = `set -f\nIFS='\n'\n${reader}\nmemory_limit "$1" "$2"`;
      const { stderr, stdout }: Deno.CommandOutput = await new Deno.Command(shell, {
        args: [...args, "-c", script, "sh", root, own],
      }).output();
      assert.equal(new TextDecoder().decode(stderr), "", shell);
      found.push(new TextDecoder().decode(stdout));
    }
    assert.deepEqual(new Set(found).size, 1, found.join(" "));
    return found[0] ?? "";
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const v1 = "/sys/fs/cgroup/memory";
const v2 = "/sys/fs/cgroup";
const noLimitV1 = "9223372036854771712\n";

/** Mounts of a machine. @param mounted the part of the tree that is at the mount point */
const mountV1 = (mounted = "/", options = "rw,memory") =>
  `22 1 8:1 / / rw - ext4 /dev/a rw\n35 31 0:32 ${mounted} ${v1} rw,nosuid shared:13 master:2 - cgroup cgroup ${options}\n`;
const mountV2 = (mounted = "/", mount = v2) =>
  `30 24 0:26 ${mounted} ${mount.replaceAll(" ", "\\040")} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n`;
const groupV1 = (path: string) => `9:name=systemd:/x\n4:cpu,memory:${path}\n1:cpu:/y\n`;
const groupV2 = (path: string) => `0::${path}\n`;

const cases: readonly (readonly [what: string, files: Files, limit: string, own?: string])[] = [
  ["nothing is there", {}, ""],
  ["v2, a limit", {
    "/proc/self/cgroup": groupV2("/pod/agent"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/pod/agent/memory.max`]: "67108864\n",
  }, "67108864"],
  ["v2, none", {
    "/proc/self/cgroup": groupV2("/pod/agent"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/pod/agent/memory.max`]: "max\n",
    [`${v2}/pod/memory.max`]: "max\n",
  }, ""],
  ["v2, a group above has less", {
    "/proc/self/cgroup": groupV2("/pod/agent/inner"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/pod/agent/inner/memory.max`]: "max\n",
    [`${v2}/pod/agent/memory.max`]: "100000000\n",
    [`${v2}/pod/memory.max`]: "52428800\n",
  }, "52428800"],
  ["v2, a group above has more", {
    "/proc/self/cgroup": groupV2("/pod/agent"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/pod/agent/memory.max`]: "31457280\n",
    [`${v2}/pod/memory.max`]: "52428800\n",
  }, "31457280"],
  ["v2 in a container with a name space of its own", {
    "/proc/self/cgroup": groupV2("/"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/memory.max`]: "41943040\n",
  }, "41943040"],
  ["v2, a process that was moved out of its name space", {
    "/proc/self/cgroup": groupV2("/../other"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/memory.max`]: "41943040\n",
  }, "41943040"],
  ["v2, a mount point with a space", {
    "/proc/self/cgroup": groupV2("/a"),
    "/proc/self/mountinfo": mountV2("/", "/mnt/my groups"),
    "/mnt/my groups/a/memory.max": "41943040\n",
  }, "41943040"],
  ["v2, a group whose name is a pattern", {
    "/proc/self/cgroup": groupV2("/a*[b] c"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/a*[b] c/memory.max`]: "41943040\n",
  }, "41943040"],
  ["v1, a limit", {
    "/proc/self/cgroup": groupV1("/docker/1"),
    "/proc/self/mountinfo": mountV1(),
    [`${v1}/docker/1/memory.limit_in_bytes`]: "67108864\n",
    [`${v1}/memory.limit_in_bytes`]: noLimitV1,
  }, "67108864"],
  ["v1, none", {
    "/proc/self/cgroup": groupV1("/docker/1"),
    "/proc/self/mountinfo": mountV1(),
    [`${v1}/docker/1/memory.limit_in_bytes`]: noLimitV1,
    [`${v1}/docker/1/memory.stat`]: `cache 1\nhierarchical_memory_limit ${noLimitV1}total_rss 5\n`,
  }, ""],
  ["v1 in a container, where its own group is what is mounted", {
    "/proc/self/cgroup": groupV1("/kubepods/pod/1"),
    "/proc/self/mountinfo": mountV1("/kubepods/pod/1"),
    [`${v1}/memory.limit_in_bytes`]: "67108864\n",
  }, "67108864"],
  ["v1, a group above that is not mounted here has less", {
    "/proc/self/cgroup": groupV1("/kubepods/pod/1"),
    "/proc/self/mountinfo": mountV1("/kubepods/pod/1"),
    [`${v1}/memory.limit_in_bytes`]: noLimitV1,
    [`${v1}/memory.stat`]: "cache 1\nhierarchical_memory_limit 31457280\ntotal_rss 5\n",
  }, "31457280"],
  ["v1, memory beside another controller", {
    "/proc/self/cgroup": groupV1("/a"),
    "/proc/self/mountinfo": mountV1("/", "rw,cpu,memory"),
    [`${v1}/a/memory.limit_in_bytes`]: "67108864\n",
  }, "67108864"],
  ["v1 of another controller says nothing", {
    "/proc/self/cgroup": groupV1("/a"),
    "/proc/self/mountinfo": mountV1("/", "rw,cpu"),
    [`${v1}/a/memory.limit_in_bytes`]: "67108864\n",
  }, ""],
  ["both, as on machines in between", {
    "/proc/self/cgroup": groupV1("/a") + groupV2("/b"),
    "/proc/self/mountinfo": mountV1() + mountV2("/", `${v2}/unified`),
    [`${v1}/a/memory.limit_in_bytes`]: "67108864\n",
    [`${v2}/unified/b/cgroup.procs`]: "",
  }, "67108864"],
  ["text that is no number", {
    "/proc/self/cgroup": groupV2("/a"),
    "/proc/self/mountinfo": mountV2(),
    [`${v2}/a/memory.max`]: "64Mi\n",
  }, ""],
  ["no mounts are known", { "/proc/self/cgroup": groupV2("/a") }, ""],
  ["the environment alone says how much", {}, "41943040", "41943040"],
  [
    "the environment says less",
    {
      "/proc/self/cgroup": groupV2("/a"),
      "/proc/self/mountinfo": mountV2(),
      [`${v2}/a/memory.max`]: "67108864\n",
    },
    "41943040",
    "41943040",
  ],
  [
    "the environment says more",
    {
      "/proc/self/cgroup": groupV2("/a"),
      "/proc/self/mountinfo": mountV2(),
      [`${v2}/a/memory.max`]: "67108864\n",
    },
    "67108864",
    "104857600",
  ],
  ["the environment says what is no number of bytes", {}, "", "64Mi"],
];

for (const [what, files, limit, own] of cases) {
  Deno.test(`the launcher's limit of memory: ${what}`, async () => {
    assert.equal(await limitOf(files, own), limit);
  });
}
