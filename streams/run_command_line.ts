/**
 * Parses arguments, runs one verb, and turns whatever happens into words and an exit code.
 * @module
 */
import { CommanderError } from "commander";
import { makeProgram, type VerbCall } from "./command_line.ts";
import { isExpected, ManifestError, RunError } from "./errors.ts";
import { nearestName } from "./nearest_name.ts";

const INTERRUPTED = 130;

/** Turns the first interrupt into an abort, and the second into the end. */
function abortOnSignals(): AbortController {
  const controller = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const name of signals) {
    Deno.addSignalListener(name, () => {
      if (controller.signal.aborted) Deno.exit(INTERRUPTED);
      console.error("interrupted: putting away what is complete; once more ends at once");
      controller.abort(new DOMException("The run was interrupted.", "AbortError"));
    });
  }
  return controller;
}

/** A first word that is no verb, no option and no file was meant as a verb. */
function verbFault(args: readonly string[], verbs: readonly string[]): string | null {
  const word = args.find((arg) => !arg.startsWith("-"));
  if (word === undefined || verbs.includes(word) || /[./\\]/.test(word)) return null;
  try {
    Deno.statSync(word);
    return null;
  } catch {
    const near = nearestName(word, verbs);
    return `"${word}" is neither a verb nor a file: ${near === null ? `verbs are ${verbs.join(", ")}` : `did you mean "${near}"?`}`;
  }
}

function report(error: unknown, debug: boolean): void {
  const message = error instanceof Error ? error.message : String(error);
  if (isExpected(error)) console.error(message);
  else {console.error(
      `${message || error}\nThis is a fault of tomosieve or of a plugin${debug ? "." : "; run again with --debug to see where."}`,
    );}
  if (debug) console.error(error);
}

/**
 * Runs the command line `args`.
 *
 * @returns The exit code: 0 done, 1 failed, 2 manifest or arguments faulty, 130 interrupted.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const debug = args.includes("--debug");
  const json = args.includes("--json");
  const chosen: VerbCall[] = [];
  const program = makeProgram((verb) => chosen.push(verb));
  if (args.length === 0) {
    console.error(program.helpInformation());
    return 2;
  }
  const fault = verbFault(args, [...program.commands.map((command) => command.name()), "help"]);
  if (fault !== null) {
    console.error(fault);
    return 2;
  }
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  const verb = chosen[0];
  if (verb === undefined) return 2;
  const controller = abortOnSignals();
  const { signal } = controller;
  const print = (status: string, problems: readonly string[]) => json ? console.log(JSON.stringify({ status, problems })) : undefined;
  const wordsOf = (error: unknown) => error instanceof Error ? error.message : String(error);
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    report(event.reason, debug);
    print("failed", [wordsOf(event.reason)]);
    Deno.exit(1);
  });
  // Nothing is left that could wake the program, and the verb has not ended: some plugin waits for what will never come.
  let stalled = false;
  globalThis.addEventListener("beforeunload", (event) => {
    const error = new RunError(
      "the work has come to a stand: the plugin waits for something that nothing is left to bring about; mend this plugin, then use --resume",
    );
    if (stalled || controller.signal.aborted) {
      report(error, debug);
      print("failed", [error.message]);
      Deno.exit(1);
    }
    stalled = true;
    event.preventDefault();
    controller.abort(error);
  });
  try {
    return await verb({ signal, debug });
  } catch (error) {
    const status = signal.aborted && !stalled ? "interrupted" : error instanceof ManifestError ? "faulty" : "failed";
    if (status !== "interrupted") report(error, debug);
    print(status, status === "interrupted" ? [] : error instanceof ManifestError ? error.problems : [wordsOf(error)]);
    return status === "interrupted" ? INTERRUPTED : status === "faulty" ? 2 : 1;
  }
}
