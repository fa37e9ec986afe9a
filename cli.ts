/**
 * The command line: permissions, arguments, one verb, its exit code (0 done, 1 failed, 2 manifest or arguments faulty, 130 interrupted).
 *
 * Nothing is imported before the permissions are known to be there, so that a missing one gives a command to copy and no prompt.
 * @module
 */
const needed = ["read", "write", "env", "sys", "ffi"] as const;

/** A word of the command as a shell takes it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Says which permissions are missing and how to give them, or `null` when none is. */
async function permissionMessage(): Promise<string | null> {
  const missing: string[] = [];
  for (const name of needed) {
    if ((await Deno.permissions.query({ name })).state !== "granted") missing.push(`--allow-${name}`);
  }
  if (missing.length === 0) return null;
  const rest = [import.meta.filename ?? import.meta.url, ...Deno.args].map(shellWord).join(" ");
  return [
    `tomosieve was not given ${missing.join(", ")}. Run it with the permissions of its deno.json:`,
    `  deno run -P ${rest}`,
    "or name them:",
    `  deno run ${needed.map((name) => `--allow-${name}`).join(" ")} ${rest}`,
  ].join("\n");
}

if (import.meta.main) {
  const message = await permissionMessage();
  if (message !== null) {
    console.error(message);
    Deno.exit(2);
  }
  const { runCommandLine } = await import("./streams/run_command_line.ts");
  // Not awaited: where nothing is left to wait for, runCommandLine says so, and Deno says only that an await never resolved.
  runCommandLine(Deno.args).then(Deno.exit);
}
