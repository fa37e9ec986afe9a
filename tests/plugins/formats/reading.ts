/** Fixtures and folders for tests of file formats. */

/** Bytes of base64 text. */
export function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** A JSON fixture of tests/fixtures by its name. */
export function readFixture<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/${name}.json`, import.meta.url)));
}

/** An empty folder that is removed when it goes out of scope. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "tomosieve-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Folder of real files of the field beside the project, or `null` (said aloud) where it is absent. */
export function realFiles(folder: string): string | null {
  const path = new URL(`../../../../shared/data/${folder}/`, import.meta.url).pathname;
  try {
    Deno.statSync(path);
    return path;
  } catch {
    console.log(`skipped: no real files at ${path}`);
    return null;
  }
}
