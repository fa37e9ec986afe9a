/**
 * Losses as graph nodes.
 * @module
 */
import type { Loss } from "../network.ts";
import { sizeOf } from "../shapes.ts";
import { INVERSE_COUNT, type Pass } from "./pass.ts";

/**
 * Emits a loss and its gradient.
 *
 * - `softmaxCrossEntropy`: mean over rows of -sum t log softmax(z).
 * - `softmaxCategoricalHinge`: with p = softmax(z), mean over rows of max(0, max (1 - t) p - sum t p + 1); the gradient goes to the first maximum.
 * - `meanSquared`: mean of (z - t)^2 over rows and everything else.
 *
 * @returns `loss` a scalar, `gradient` shaped like the prediction, in the logical layout.
 */
export function emitLoss(pass: Pass, loss: Loss, targets: string): { readonly loss: string; readonly gradient: string } {
  const { graph } = pass;
  const prediction = pass.plain(loss.prediction);
  const classes = graph.integers([1]);
  const mean = (tensor: string) => graph.node("ReduceMean", [tensor], { keepdims: 0 });
  if (loss.kind === "meanSquared") {
    const difference = graph.node("Sub", [prediction, targets]);
    const factor = graph.node("Mul", [INVERSE_COUNT, graph.scalar(2 / sizeOf(pass.network.shapes.get(loss.prediction)!))]);
    return { loss: mean(graph.node("Mul", [difference, difference])), gradient: graph.node("Mul", [difference, factor]) };
  }
  const probabilities = graph.node("Softmax", [prediction], { axis: 1 });
  if (loss.kind === "softmaxCrossEntropy") {
    const logarithms = graph.node("LogSoftmax", [prediction], { axis: 1 });
    const rows = graph.node("ReduceSum", [graph.node("Mul", [targets, logarithms]), classes], { keepdims: 0 });
    const weight = graph.node("ReduceSum", [targets, classes]);
    const difference = graph.node("Sub", [graph.node("Mul", [probabilities, weight]), targets]);
    return { loss: graph.node("Neg", [mean(rows)]), gradient: graph.node("Mul", [difference, INVERSE_COUNT]) };
  }
  const others = graph.node("Sub", [graph.scalar(1), targets]);
  const right = graph.node("ReduceSum", [graph.node("Mul", [targets, probabilities]), classes]);
  const [wrong, index] = graph.nodes("TopK", [graph.node("Mul", [others, probabilities]), graph.integers([1])], { axis: 1 }, 2);
  const margin = graph.node("Relu", [graph.node("Add", [graph.node("Sub", [wrong, right]), graph.scalar(1)])]);
  // Sign of the clipped margin: 1 where the loss is at work, 0 where the row is right by a margin of 1.
  const active = graph.node("Mul", [graph.node("Sign", [margin]), INVERSE_COUNT]);
  const weightOfWrong = graph.nodes("GatherElements", [others, index], { axis: 1 }, 1)[0];
  const byProbability = graph.node("ScatterElements", [graph.node("Neg", [targets]), index, weightOfWrong], { axis: 1, reduction: "add" });
  const given = graph.node("Mul", [byProbability, active]);
  const along = graph.node("ReduceSum", [graph.node("Mul", [given, probabilities]), classes]);
  return { loss: mean(margin), gradient: graph.node("Mul", [probabilities, graph.node("Sub", [given, along])]) };
}
