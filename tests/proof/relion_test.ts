import assert from "node:assert/strict";
import { temporaryFolder } from "../plugins/formats/reading.ts";
import { hasProgram, proveRelion } from "./relion.ts";

Deno.test("relion_reconstruct finds the truth from what relion-star writes", async () => {
  assert.ok(await hasProgram("relion_reconstruct"), "relion_reconstruct is not installed: apt-get install relion");
  await using folder = await temporaryFolder();
  const figures = await proveRelion(folder.path);
  for (const [name, correlation] of Object.entries(figures)) console.log(`${correlation.toFixed(4)}  ${name}`);
  assert.ok(
    figures["as written"] >
      Math.max(...Object.entries(figures).filter(([name]) => !/as written|alone/.test(name)).map(([, value]) => value)),
  );
});
