import assert from "node:assert/strict";
import { join } from "node:path";
import auto, { openFirst, survey } from "../../../plugins/engines/auto.ts";
import type { Candidate } from "../../../plugins/engines/candidates.ts";
import type { Engine } from "../../../plugins/engines/network.ts";
import { selfTest } from "../../../plugins/engines/self_test.ts";
import { cacheFolder, openMemory } from "../../../plugins/engines/verdict.ts";
import type { EngineFinding } from "../../../streams/contract.ts";
import numbers from "../../../plugins/engines/self_test.json" with { type: "json" };
import { selfTestNumbers } from "../../fixtures/engine_self_test.ts";
import { createContext, openOnnx } from "./context.ts";

/** An engine whose gradients are off by a factor. */
function wrong(engine: Engine, factor: number): Engine {
  return {
    name: "wrong",
    device: "cpu",
    precision: "float32",
    matmul: (...args) => engine.matmul(...args),
    async compile(spec, initial) {
      const network = await engine.compile(spec, initial);
      const infer: typeof network.infer = (...args) => network.infer(...args);
      const gradients: typeof network.gradients = async (...args) => {
        const { loss, gradients } = await network.gradients(...args);
        gradients["conv1.weight"] = gradients["conv1.weight"].map((value) => value * factor);
        return { loss, gradients };
      };
      return { ...network, infer, gradients, [Symbol.asyncDispose]: () => network[Symbol.asyncDispose]() };
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

Deno.test("the stored numbers of the self-test are what the reference network gives", () => {
  assert.deepEqual(numbers, selfTestNumbers());
});

Deno.test("`selfTest()` passes a right engine and names what a wrong one gets wrong", async () => {
  await using engine = await openOnnx();
  assert.equal(await selfTest(engine), null);
  assert.match(await selfTest(wrong(engine, 1.001)) ?? "", /conv1.weight is 0.0010 from the reference .* within 0.0001/);
  assert.match(await selfTest(wrong(engine, NaN)) ?? "", /conv1.weight is NaN/);
});

/** A candidate of this name whose opening does as said. */
function candidate(engine: string, open: Candidate["open"], mark?: Candidate["mark"]): Candidate {
  return { engine, options: {}, open, ...(mark ? { mark } : {}) };
}
const broken = (engine: string) => candidate(engine, () => Promise.reject(new Error(`${engine} is broken`)));

Deno.test("`auto` takes the first engine that works and says why not the others", async () => {
  const context = createContext();
  await using engine = await openFirst(
    [
      broken("absent"),
      candidate("wrong", async () => wrong(await openOnnx(), 1.5)),
      candidate("onnx", () => openOnnx()),
      candidate("later", () => assert.fail("must not be tried")),
    ],
    {},
    context,
  );
  assert.equal(engine.name, "onnx");
  assert.equal(context.said.length, 1);
  assert.match(context.said[0], /^engine: engine onnx on the cpu, float32: self-test passed; not absent: absent is broken;/);
  assert.match(context.said[0], /; not wrong: self-test: conv1.weight is 0.50 from the reference/);
});

Deno.test("`auto` says all reasons when nothing works, and stops when cancelled", async () => {
  await assert.rejects(openFirst([broken("a"), broken("b")], {}, createContext()), {
    name: "RunError",
    message: "no engine works on this machine: a: a is broken; b: b is broken",
  });
  const signal = AbortSignal.abort();
  await assert.rejects(openFirst([broken("a")], {}, createContext({ signal })), { name: "AbortError" });
});

/** Fails the test when the self-test is run: it compiles a network. */
const untested = async (): Promise<Engine> => {
  const engine = await openOnnx();
  return { ...wrong(engine, 1), name: "untested", compile: () => assert.fail("the self-test must not run again") };
};

Deno.test("a verdict is remembered for this machine, and for these libraries only", async (t) => {
  const folder = Deno.makeTempDirSync();
  let version = "1.0";
  const list = (open: Candidate["open"]) => [broken("absent"), candidate("onnx", open, () => version)];
  const take = async (open: Candidate["open"]) => {
    const context = createContext();
    const engine = await openFirst(list(open), {}, context, await openMemory(list(open), folder));
    await engine[Symbol.asyncDispose]();
    return context.said[0];
  };
  try {
    await t.step("the second time nothing is tested, and the reasons stay", async () => {
      assert.match(await take(() => openOnnx()), /self-test passed; not absent: absent is broken$/);
      assert.match(await take(untested), /it passed its self-test on this machine before; not absent: absent is broken$/);
    });
    await t.step("another version of the library is tested anew", async () => {
      version = "2.0";
      await assert.rejects(take(untested), { name: "RunError", message: /must not run again/ });
      assert.match(await take(() => openOnnx()), /self-test passed/);
    });
    await t.step("an engine that no longer starts is not taken: all are tried again", async () => {
      const memory = await openMemory(list(untested), folder);
      const context = createContext();
      const fallen = [broken("onnx"), candidate("other", () => openOnnx())];
      const engine = await openFirst(fallen, {}, context, memory);
      await engine[Symbol.asyncDispose]();
      assert.match(context.said[0], /engine other .* not onnx: onnx is broken/);
    });
    await t.step("a damaged file is as none, and one of another machine too", async () => {
      const [name] = [...Deno.readDirSync(folder)].map((entry) => entry.name);
      const memory = await openMemory(list(untested), folder);
      await memory!.keep({ taken: "onnx", refused: [] });
      assert.deepEqual(await memory!.recall(), { taken: "onnx", refused: [] });
      for (const entry of Deno.readDirSync(folder)) {
        const path = `${folder}/${entry.name}`;
        Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/"host [^"]*"/, '"host elsewhere"'));
      }
      assert.equal(await memory!.recall(), null);
      for (const entry of Deno.readDirSync(folder)) Deno.writeTextFileSync(`${folder}/${entry.name}`, '{ "taken": "on');
      assert.equal(await memory!.recall(), null);
      assert.match(name, /^engine-[0-9a-f]{16}\.json$/);
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the place of the memory: the user's cache, or none", async () => {
  assert.equal(cacheFolder((name) => ({ XDG_CACHE_HOME: "/cache", HOME: "/home/me" })[name]), join("/cache", "tomosieve"));
  assert.equal(cacheFolder(() => undefined), null);
  assert.equal(await openMemory([], null), null);
  // A folder that cannot be made: nothing is kept, nothing fails.
  const file = Deno.makeTempFileSync();
  const memory = await openMemory([], `${file}/cache`);
  await memory!.keep({ taken: "onnx", refused: [] });
  assert.equal(await memory!.recall(), null);
  Deno.removeSync(file);
});

Deno.test("a contested engine is taken only when it is faster than the first that is not", async () => {
  const graphics = async (): Promise<Engine> => ({ ...wrong(await openOnnx(), 1), name: "graphics", device: "gpu" });
  const list = [
    { ...candidate("graphics", graphics), contested: true } as const,
    candidate("onnx", () => openOnnx()),
    candidate("later", () => assert.fail("too late")),
  ];
  for (const [gpu, taken, other] of [[5, "graphics", "onnx"], [15, "onnx", "graphics"]] as const) {
    const context = createContext();
    await using engine = await openFirst(list, {}, context, null, ({ device }) => Promise.resolve(device === "gpu" ? gpu : 10));
    assert.equal(engine.name, taken);
    const [fast, slow] = [gpu, 10].sort((a, b) => a - b);
    assert.match(context.said[0], new RegExp(`engine ${taken} on .* not ${other}: slower, ${slow}.0 ms a subtomogram against ${fast}.0$`));
  }
});

Deno.test("`survey()` tries every candidate and times those that pass", async () => {
  const findings: EngineFinding[] = [];
  const list = [broken("absent"), candidate("wrong", async () => wrong(await openOnnx(), 1.5)), candidate("onnx", () => openOnnx())];
  for await (const finding of survey(list, {}, createContext(), () => Promise.resolve(12.5))) findings.push(finding);
  assert.deepEqual(findings.map(({ engine, available, device, msPerSubtomogram }) => [engine, available, device, msPerSubtomogram]), [
    ["absent", false, null, null],
    ["wrong", false, "cpu", null],
    ["onnx", true, "cpu", 12.5],
  ]);
  assert.match(findings[1].reason, /conv1.weight is 0.50 from the reference/);
});

Deno.test("the plugin `auto` gives a working engine on this machine", async () => {
  const context = createContext();
  await using engine = await auto.create({ threads: 1 }, context, {});
  const product = await engine.matmul(Float32Array.of(1, 2), Float32Array.of(3, 4), { m: 1, k: 2, n: 1 });
  assert.deepEqual(product, Float32Array.of(11));
});
