/**
 * The parity suite on every oneDNN library of the machine: both interfaces where both versions are installed.
 *
 * Beside the usual names `$TOMOSIEVE_LIBDNNL` is tried, paths divided by colons. Version 3 comes with `pip download onednn-cpu-gomp==2023.2.0`, which
 * holds libdnnl.so.3 (3.2.0).
 * @module
 */
import onednn from "../../plugins/engines/onednn/mod.ts";
import { openLibrary } from "../../plugins/engines/onednn/library.ts";
import { createContext, openOnnx } from "../plugins/engines/context.ts";
import { exchangeTest, parityTests } from "../plugins/engines/parity.ts";

const named = (Deno.env.get("TOMOSIEVE_LIBDNNL") ?? "").split(":").filter((path) => path !== "");
for (const library of ["libdnnl.so.2", "libdnnl.so.3", ...named]) {
  let version = "";
  try {
    const opened = openLibrary(library);
    version = `${opened.version}, ${opened.threading}`;
    opened.close();
  } catch (error) {
    Deno.test({ name: `onednn with ${library}: not tested here: ${(error as Error).message}`, ignore: true, fn() {} });
    continue;
  }
  for (const threads of [1, 3]) {
    const open = async () => await onednn.create({ threads, library }, createContext(), {});
    parityTests(`onednn ${version}, ${threads} threads`, open);
    exchangeTest(`onednn ${version}, ${threads} threads`, open, () => openOnnx());
  }
}
