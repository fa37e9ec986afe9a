/**
 * The built-in plugins: one id, one lazy import. Nothing is loaded until a manifest names it.
 * @module
 */
import type { AnyPlugin } from "../streams/contract.ts";

/** Loads each built-in plugin by its id. */
export const builtIns: Readonly<Record<string, () => Promise<{ default: AnyPlugin }>>> = {
  tomograms: () => import("./sources/tomograms.ts"),
  "subtomogram-stack": () => import("./sources/subtomogram_stack.ts"),
  simulated: () => import("./sources/simulated.ts"),
  "simulated-stack": () => import("./sources/simulated_stack.ts"),
  "paired-volume": () => import("./denoisers/paired_volume.ts"),
  gaussian: () => import("./denoisers/gaussian.ts"),
  median: () => import("./denoisers/median.ts"),
  "band-pass": () => import("./denoisers/band_pass.ts"),
  deconvolution: () => import("./denoisers/deconvolution.ts"),
  command: () => import("./denoisers/command.ts"),
  "local-energy": () => import("./denoisers/local_energy.ts"),
  rescale: () => import("./denoisers/rescale.ts"),
  dog: () => import("./pickers/dog.ts"),
  coordinates: () => import("./pickers/coordinates.ts"),
  "mask-picks": () => import("./operators/mask_picks.ts"),
  "edge-margin": () => import("./operators/edge_margin.ts"),
  "gold-beads": () => import("./operators/gold_beads.ts"),
  "flat-boxes": () => import("./operators/flat_boxes.ts"),
  boxes: () => import("./extractors/boxes.ts"),
  disca: () => import("./learners/disca.ts"),
  "one-pass": () => import("./learners/one_pass.ts"),
  yopo: () => import("./embedders/yopo.ts"),
  invariants: () => import("./embedders/invariants.ts"),
  voxels: () => import("./embedders/voxels.ts"),
  autoencoder: () => import("./embedders/autoencoder.ts"),
  "gmm-bic": () => import("./clusterers/gmm_bic.ts"),
  hungarian: () => import("./matchers/hungarian.ts"),
  ddbi: () => import("./scorers/ddbi.ts"),
  em: () => import("./refiners/em.ts"),
  average: () => import("./aligners/average.ts"),
  refined: () => import("./aligners/refined.ts"),
  "conv-decoder": () => import("./decoders/conv_decoder.ts"),
  "relion-star": () => import("./sinks/relion_star.ts"),
  "particles-table": () => import("./sinks/particles_table.ts"),
  "class-volumes": () => import("./sinks/class_volumes.ts"),
  report: () => import("./sinks/report.ts"),
  onnx: () => import("./engines/onnx/mod.ts"),
  tfjs: () => import("./engines/tfjs/mod.ts"),
  onednn: () => import("./engines/onednn/mod.ts"),
  auto: () => import("./engines/auto.ts"),
};
