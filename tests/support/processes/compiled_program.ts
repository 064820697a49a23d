/** What `deno compile` adds to the runtime's stub, read back. The form is the runtime's own: cli/lib/standalone in its sources. */
export interface CompiledProgram {
  readonly metadata: CompiledMetadata;
  /** What its code can be loaded from without the disk, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Bytes that say which npm packages are inside. */
  readonly packageBytes: number;
  /** Addresses of modules from elsewhere, and where they lead. */
  readonly remoteModules: number;
}

/** The part of a compiled program's metadata that is looked at here, under the runtime's names. */
export interface CompiledMetadata {
  readonly argv: readonly string[];
  readonly entrypoint_key: string;
  readonly permissions: Readonly<Record<string, readonly string[] | boolean | null>>;
  readonly v8_flags: readonly string[];
  readonly env_vars_from_env_file: Readonly<Record<string, string>>;
  readonly [other: string]: unknown;
}

/** A file in the list of those inside: its name, and where it begins and how long it is. */
interface Entry {
  readonly File?: { readonly n: string; readonly o: readonly [number, number] };
}

const magic = "d3n0l4nd";

/** @throws when the file is no compiled program, or holds folders */
export async function readCompiledProgram(path: string): Promise<CompiledProgram> {
  const bytes = await Deno.readFile(path);
  // The name of the note that holds the data, and the data's own first word.
  const start = new TextDecoder("latin1").decode(bytes).indexOf(magic + magic);
  if (start < 0) throw new Error(`${path} holds nothing that was compiled`);
  const reader = new Reader(bytes.subarray(start + 2 * magic.length));
  const metadata: CompiledMetadata = JSON.parse(reader.text());
  const packageBytes = reader.part().length;
  // Addresses, redirections, modules: lists that are empty are their lengths alone.
  const remoteModules = reader.uint32() + reader.uint32() + reader.uint32();
  if (remoteModules > 0) return { metadata, files: new Map(), packageBytes, remoteModules };
  const entries: readonly Entry[] = JSON.parse(reader.text());
  const data = reader.part();
  if (new TextDecoder().decode(reader.bytes(magic.length)) !== magic) throw new Error(`${path} has another form`);
  const files = entries.map(({ File }): [string, Uint8Array] => {
    if (File === undefined) throw new Error(`${path} holds something else than files: ${JSON.stringify(entries)}`);
    const [offset, length] = File.o;
    return [File.n, data.subarray(offset, offset + length)];
  });
  return { metadata, files: new Map(files), packageBytes, remoteModules };
}

/** Reads what follows each other in little-endian. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  uint32(): number {
    const part = this.bytes(4);
    return new DataView(part.buffer, part.byteOffset, 4).getUint32(0, true);
  }

  /** Bytes behind their number. */
  part(): Uint8Array {
    const head = this.bytes(8);
    return this.bytes(Number(new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true)));
  }

  text(): string {
    return new TextDecoder().decode(this.part());
  }

  bytes(count: number): Uint8Array {
    const part = this.#bytes.subarray(this.#at, this.#at += count);
    if (part.length < count) throw new Error("the data ends too early");
    return part;
  }
}

/**
 * Writes a file that has the form of the runtime's stub, an ELF program with one segment, and does nothing: `deno compile`
 * takes it from DENORT_BIN, and goes through everything that it does with the stub itself.
 */
export async function writeStubShape(path: string): Promise<void> {
  const headerBytes = 64;
  const segmentBytes = 56;
  const bytes = new Uint8Array(headerBytes + segmentBytes);
  const view = new DataView(bytes.buffer);
  const uint16 = (at: number, value: number) => view.setUint16(at, value, true);
  const uint32 = (at: number, value: number) => view.setUint32(at, value, true);
  const uint64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, ...new TextEncoder().encode("ELF"), 2, /* 64 bits */ 1, /* little-endian */ 1 /* version */]);
  uint16(16, 2 /* executable */);
  uint16(18, 62 /* x86-64 */);
  uint32(20, 1 /* version */);
  uint64(32, headerBytes /* where the list of segments is */);
  uint16(52, headerBytes);
  uint16(54, segmentBytes);
  uint16(56, 1 /* segments */);
  uint32(headerBytes, 1 /* loaded */);
  uint32(headerBytes + 4, 4 /* readable */);
  uint64(headerBytes + 32, bytes.length /* in the file */);
  uint64(headerBytes + 40, bytes.length /* in memory */);
  uint64(headerBytes + 48, 0x1000 /* aligned to pages */);
  await Deno.writeFile(path, bytes, { mode: 0o755 });
}

/** Whether the runtime's own stub of this version is here; `deno compile` would go online for it else. */
export async function hasRealStub(): Promise<boolean> {
  if ((Deno.env.get("DENORT_BIN") ?? "") !== "") return true;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stderr: "null" }).output();
  const { denoDir }: { readonly denoDir: string } = JSON.parse(new TextDecoder().decode(stdout));
  const path = `${denoDir}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  return await Deno.stat(path).then(() => true, () => false);
}
