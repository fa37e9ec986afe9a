import { definePlugin, z } from "tomosieve";

/** Lets every pick pass: a plugin in one file. */
export const keepAll = definePlugin({
  apiVersion: 1,
  name: "keep-all",
  kind: "operator",
  summary: "Lets every pick pass.",
  input: "picks",
  output: "picks",
  options: z.strictObject({}),
  create: () => ({ apply: (picks) => Promise.resolve(picks) }),
});
