/** Runs cli.ts as a user does: in a process of its own. */
const root = new URL("../../", import.meta.url);
const FLAGS = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-ffi", "--no-prompt"];

/** What a finished process said. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Path of a file of the checkout. */
export function inCheckout(path: string): string {
  return new URL(path, root).pathname;
}

/** The command, ready to be spawned in the checkout. */
export function command(...args: string[]): Deno.Command {
  return commandIn(root.pathname, ...args);
}

/** The command, ready to be spawned in a folder. */
export function commandIn(cwd: string, ...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...FLAGS, inCheckout("cli.ts"), ...args],
    cwd,
    stdout: "piped",
    stderr: "piped",
    stdin: "null",
  });
}

/** Runs the command to its end. */
export async function tomosieve(...args: string[]): Promise<Finished> {
  const { code, stdout, stderr } = await command(...args).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Runs the command and reads the JSON object that `--json` prints; fails with what it said on stderr. */
export async function tomosieveJson<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await tomosieve(...args, "--json");
  if (code !== 0) throw new Error(`exit code ${code}:\n${stderr}`);
  return JSON.parse(stdout) as T;
}
