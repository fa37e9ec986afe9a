import assert from "node:assert/strict";
import auto, { openFirst } from "../../../plugins/engines/auto.ts";
import type { Engine } from "../../../plugins/engines/network.ts";
import { selfTest } from "../../../plugins/engines/self_test.ts";
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

Deno.test("`auto` takes the first engine that works and says why not the others", async () => {
  const context = createContext();
  await using engine = await openFirst(
    [
      { name: "absent", open: () => Promise.reject(new Error("libfast.so is not installed")) },
      { name: "wrong", open: async () => wrong(await openOnnx(), 1.5) },
      { name: "onnx", open: () => openOnnx() },
      { name: "later", open: () => Promise.reject(new Error("must not be tried")) },
    ],
    {},
    context,
  );
  assert.equal(engine.name, "onnx");
  assert.equal(context.said.length, 1);
  assert.match(context.said[0], /^engine: engine onnx on the cpu, float32: self-test passed; not absent: libfast.so is not installed;/);
  assert.match(context.said[0], /; not wrong: self-test: conv1.weight is 0.50 from the reference/);
});

Deno.test("`auto` says all reasons when nothing works, and stops when cancelled", async () => {
  const broken = (name: string) => ({ name, open: () => Promise.reject(new Error(`${name} is broken`)) });
  await assert.rejects(openFirst([broken("a"), broken("b")], {}, createContext()), {
    name: "RunError",
    message: "no engine works on this machine: a: a is broken; b: b is broken",
  });
  const signal = AbortSignal.abort();
  await assert.rejects(openFirst([broken("a")], {}, createContext({ signal })), { name: "AbortError" });
});

Deno.test("the plugin `auto` gives a working engine on this machine", async () => {
  const context = createContext();
  await using engine = await auto.create({ threads: 1 }, context, {});
  const product = await engine.matmul(Float32Array.of(1, 2), Float32Array.of(3, 4), { m: 1, k: 2, n: 1 });
  assert.deepEqual(product, Float32Array.of(11));
});
