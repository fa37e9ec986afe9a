/**
 * Builds an ONNX model node by node.
 *
 * Tensors are names; those that begin with `#` are the graph's own, the rest belong to layers and parameters. Field numbers are those of onnx.proto3 (IR version 8). Operators are of opset 18, beside a few of ONNX Runtime's own
 * domains, which a graph for other programs must not use.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 * @module
 */
import { Message } from "./protobuf.ts";

const OPSET = 18;
const IR_VERSION = 8;
const TYPE_FLOAT = 1;
const TYPE_INT64 = 7;

/** A node attribute: integers, text, or `{ float }`. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

/** Operators that only ONNX Runtime has: fused products, and convolutions on channels in blocks. */
export type OwnDomain = "com.microsoft" | "com.microsoft.nchwc";

/** Axes of a graph input or output; a string is an axis whose length is known only when it runs. */
export type Axes = readonly (number | string)[];

/** A graph under construction. */
export class Graph {
  readonly inputs: string[] = [];
  readonly outputs: string[] = [];
  #nodes: Message[] = [];
  #inputs: Message[] = [];
  #outputs: Message[] = [];
  #constants = new Map<string, Message>();
  #read = new Set<string>();
  #named = new Map<string, string>();
  #count = 0;
  #domains = new Set([""]);

  /** Adds a node with several outputs, or with outputs of given names. An absent optional input is "". */
  nodes(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number | readonly string[],
    domain = "",
  ): string[] {
    const names = typeof outputs === "number" ? Array.from({ length: outputs }, () => this.#fresh()) : [...outputs];
    const message = new Message();
    for (const input of inputs) {
      message.bytes(1, input);
      this.#read.add(input);
    }
    for (const name of names) message.bytes(2, name);
    message.bytes(3, `${type}_${this.#nodes.length}`).bytes(4, type);
    for (const [name, value] of Object.entries(attributes)) message.bytes(5, encodeAttribute(name, value));
    if (domain) message.bytes(7, domain);
    this.#domains.add(domain);
    this.#nodes.push(message);
    return names;
  }

  /** Adds a node with one output and returns the output's name. */
  node(type: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}, name?: string): string {
    return this.nodes(type, inputs, attributes, name === undefined ? 1 : [name])[0];
  }

  /** As {@linkcode node}, for an operator of one of ONNX Runtime's own domains. */
  ownNode(domain: OwnDomain, type: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.nodes(type, inputs, attributes, 1, domain)[0];
  }

  /** The same numbers in another shape; an axis may be -1 (the rest) or 0 (as it is). */
  reshape(tensor: string, axes: readonly number[]): string {
    return this.node("Reshape", [tensor, this.integers(axes)]);
  }

  /** Sum, mean or maximum along `axes`, which go. */
  reduce(how: "Sum" | "Mean" | "Max", tensor: string, axes: readonly number[]): string {
    return this.node(`Reduce${how}`, [tensor, this.integers(axes)], { keepdims: 0 });
  }

  /** `begin` to `end` (not included) along `axes`. */
  slice(tensor: string, axes: readonly number[], begin: readonly number[], end: readonly number[]): string {
    return this.node("Slice", [tensor, this.integers(begin), this.integers(end), this.integers(axes)]);
  }

  /** Declares a float32 input. */
  input(name: string, axes: Axes): string {
    this.#inputs.push(describeValue(name, axes));
    this.inputs.push(name);
    return name;
  }

  /** Declares a float32 output that a node named so already makes. */
  output(name: string, axes: Axes): string {
    this.#outputs.push(describeValue(name, axes));
    this.outputs.push(name);
    return name;
  }

  /** Gives a tensor another name, to make it an output. */
  rename(tensor: string, name: string): string {
    return this.node("Identity", [tensor], {}, name);
  }

  /** A float32 scalar, stored once however often it is asked for. */
  scalar(value: number): string {
    return this.#once(`f${value}`, (name) => this.constant(name, [], Float32Array.of(value)));
  }

  /** A float32 constant of ones. */
  ones(shape: readonly number[]): string {
    const length = shape.reduce((product, axis) => product * axis, 1);
    return this.#once(`ones${shape.join()}`, (name) => this.constant(name, shape, new Float32Array(length).fill(1)));
  }

  /** Int64 numbers: axes, sizes, indices; a vector unless a shape is given. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#once(
      `i${shape.join()}:${values.join()}`,
      (name) => this.#constant(name, shape, TYPE_INT64, BigInt64Array.from(values, BigInt)),
    );
  }

  /** A named float32 constant. */
  constant(name: string, shape: readonly number[], values: Float32Array): string {
    return this.#constant(name, shape, TYPE_FLOAT, values);
  }

  /** The whole model, ready for a session. */
  encode(): Uint8Array {
    const graph = new Message();
    for (const node of this.#nodes) graph.bytes(1, node);
    graph.bytes(2, "tomosieve");
    for (const [name, constant] of this.#constants) if (this.#read.has(name)) graph.bytes(5, constant);
    for (const input of this.#inputs) graph.bytes(11, input);
    for (const output of this.#outputs) graph.bytes(12, output);
    const model = new Message().int(1, IR_VERSION).bytes(2, "tomosieve").bytes(7, graph);
    for (const domain of this.#domains) model.bytes(8, new Message().bytes(1, domain).int(2, domain === "" ? OPSET : 1));
    return model.encode();
  }

  #constant(name: string, shape: readonly number[], type: number, values: Float32Array | BigInt64Array): string {
    const message = new Message();
    for (const axis of shape) message.int(1, axis);
    message.int(2, type).bytes(8, name).bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.#constants.set(name, message);
    return name;
  }

  #once(key: string, make: (name: string) => string): string {
    const known = this.#named.get(key);
    if (known) return known;
    const name = make(this.#fresh());
    this.#named.set(key, name);
    return name;
  }

  #fresh(): string {
    return `#${this.#count++}`;
  }
}

function encodeAttribute(name: string, value: Attribute): Message {
  const message = new Message().bytes(1, name);
  if (typeof value === "number") return message.int(3, value).int(20, 2);
  if (typeof value === "string") return message.bytes(4, value).int(20, 3);
  if ("float" in value) return message.float(2, value.float).int(20, 1);
  for (const item of value) message.int(8, item);
  return message.int(20, 7);
}

function describeValue(name: string, axes: Axes): Message {
  const shape = new Message();
  for (const axis of axes) {
    const dimension = new Message();
    if (typeof axis === "number") dimension.int(1, axis);
    else dimension.bytes(2, axis);
    shape.bytes(1, dimension);
  }
  const tensor = new Message().int(1, TYPE_FLOAT).bytes(2, shape);
  return new Message().bytes(1, name).bytes(2, new Message().bytes(1, tensor));
}
