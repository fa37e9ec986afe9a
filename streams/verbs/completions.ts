/**
 * `completions <shell>`: a script that completes the command line, which asks `complete -- <words>` at each press of Tab.
 * @module
 */
import tab, { script } from "@bomb.sh/tab";
import commanderTab from "@bomb.sh/tab/commander";
import { builtIns } from "../../plugins/mod.ts";
import { makeProgram } from "../command_line.ts";
import { ManifestError } from "../errors.ts";
import { suggestName } from "../nearest_name.ts";

const NAME = "tomosieve";
const shells = ["bash", "zsh", "fish", "powershell"];
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Prints a completion script to stdout. It also defines the function `tomosieve`, which calls this cli.ts with the permissions of its
 * configuration, so that there is a name to complete.
 *
 * @returns Exit code 0.
 * @throws {ManifestError} When the shell is not one of bash, zsh, fish, powershell.
 */
export function completionsVerb({ shell }: { shell: string }): number {
  if (!shells.includes(shell)) throw new ManifestError([`no shell "${shell}": ${suggestName(shell, shells, "there are")} [bad-argument]`]);
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const command = `deno run -P ${quote(cli)}`;
  if (shell === "fish") console.log(`function ${NAME}; ${command} $argv; end`);
  else if (shell === "powershell") console.log(`function ${NAME} { ${command} @args }`);
  else console.log(`${NAME}() { ${command} "$@"; }`);
  script(shell, NAME, NAME);
  return 0;
}

/**
 * Prints the completions of the last of `words`, one a line, as the script expects them. Where a file may stand and nothing else fits, the
 * shell is told to complete files.
 *
 * @returns Exit code 0.
 */
export function completeVerb({ words }: { words: readonly string[] }): number {
  const shown: string[] = [];
  const log = console.log;
  console.log = (line: string) => shown.push(line);
  try {
    commanderTab(makeProgram(() => {}, false), { completionCommandName: "completions" });
    const described = tab.commands.get("describe")?.arguments.get("plugin");
    if (described !== undefined) described.handler = (complete) => Object.keys(builtIns).forEach((id) => complete(id, ""));
    tab.parse([...words]);
  } finally {
    console.log = log;
  }
  const candidates = shown.filter((line) => !/^:\d+$/.test(line));
  candidates.forEach((line) => console.log(line));
  const wantsOption = words.at(-1)?.startsWith("-") ?? false;
  console.log(candidates.length === 0 && !wantsOption ? ":0" : ":4");
  return 0;
}
