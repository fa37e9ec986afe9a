/**
 * Deno's own permission to run a program, which comes on top of `--allow-command`.
 * @module
 */

/** A word of a command as a shell takes it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Says how to let Deno run `program`, as the whole command to copy, or `null` when it may. */
export function runPermissionFault(program: string): string | null {
  if (Deno.permissions.querySync({ name: "run", command: program }).state === "granted") return null;
  const main = Deno.mainModule.startsWith("file:") ? decodeURIComponent(new URL(Deno.mainModule).pathname) : Deno.mainModule;
  const command = ["deno", "run", "-P", `--allow-run=${program}`, main, ...Deno.args].map(shellWord).join(" ");
  return `Deno may not run "${program}": start tomosieve with its permission: ${command}`;
}
