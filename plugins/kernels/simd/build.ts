/**
 * Compiles every `*.as.ts` in this folder (AssemblyScript: TypeScript's syntax, WebAssembly's types and SIMD) to a `.wasm` beside it.
 *
 * `deno task build:wasm` writes them; `deno task build:wasm --check` fails when a committed file is not what its source gives.
 * Only this task needs the compiler: the committed modules are imported like any other file.
 */
/** The compiler: a tool of this task alone, 100 MB, so that its name is kept from those who look for what to install. */
const compiler = ["npm:assemblyscript", "0.28.20/asc"].join("@");
interface Compiler {
  main(args: string[], files: {
    readFile(name: string): string | null;
    writeFile(name: string, contents: string | Uint8Array): void;
    listFiles(): string[];
  }): Promise<{ error: Error | null; stdout: { toString(): string }; stderr: { toString(): string } }>;
}
const { default: asc } = await import(compiler) as { default: Compiler };

const folder = new URL("./", import.meta.url);
const check = Deno.args.includes("--check");
let stale = 0;
for (const entry of [...Deno.readDirSync(folder)].map((e) => e.name).filter((name) => name.endsWith(".as.ts")).sort()) {
  const name = entry.replace(".as.ts", ".wasm");
  const { error, stdout, stderr, binary } = await compile(entry);
  if (error) {
    console.error(`${entry}: ${stderr}${stdout}`);
    Deno.exit(1);
  }
  const target = new URL(name, folder);
  if (check) {
    let committed = new Uint8Array();
    try {
      committed = Deno.readFileSync(target);
    } catch { /* absent counts as stale */ }
    const same = committed.length === binary.length && committed.every((byte, i) => byte === binary[i]);
    console.error(`${name}: ${same ? "current" : "stale: run deno task build:wasm"}`);
    if (!same) stale++;
  } else {
    Deno.writeFileSync(target, binary);
    console.error(`${name}: ${binary.length} bytes`);
  }
}
Deno.exit(stale ? 1 : 0);

async function compile(entry: string) {
  let binary = new Uint8Array();
  const { error, stdout, stderr } = await asc.main(
    [
      entry,
      "--outFile",
      "out.wasm",
      "-O3",
      "--enable",
      "simd",
      "--enable",
      "relaxed-simd",
      "--runtime",
      "minimal",
      "--noAssert",
      "--use",
      "abort=",
    ],
    {
      readFile: (name: string) => {
        try {
          return Deno.readTextFileSync(new URL(name, folder));
        } catch {
          return null;
        }
      },
      writeFile: (_name: string, contents: string | Uint8Array) => {
        binary = contents as Uint8Array<ArrayBuffer>;
      },
      listFiles: () => [],
    },
  );
  return { error, stdout, stderr, binary };
}
