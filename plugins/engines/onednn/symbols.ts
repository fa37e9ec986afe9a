/**
 * The functions of oneDNN's C interface that the engine calls, as foreign functions. A status of 0 is success.
 * @see oneDNN's dnnl.h of 2.6 and 3.2.
 * @module
 */
const P = "pointer" as const;
const B = "buffer" as const;
const I = "i32" as const;
const F = "f32" as const;
const U = "u32" as const;
const N = "usize" as const;

/** Takes what is needed to know which interface a library has. */
export const versionSymbols = { dnnl_version: { parameters: [], result: P } } as const;

const shared = {
  dnnl_engine_create: { parameters: [B, I, N], result: I },
  dnnl_engine_destroy: { parameters: [P], result: I },
  dnnl_stream_create: { parameters: [B, P, U], result: I },
  dnnl_stream_wait: { parameters: [P], result: I },
  dnnl_stream_destroy: { parameters: [P], result: I },
  dnnl_memory_create: { parameters: [B, P, P, P], result: I },
  dnnl_memory_set_data_handle: { parameters: [P, P], result: I },
  dnnl_memory_destroy: { parameters: [P], result: I },
  dnnl_memory_desc_get_size: { parameters: [P], result: N },
  dnnl_memory_desc_equal: { parameters: [P, P], result: I },
  dnnl_primitive_desc_query: { parameters: [P, I, I, B], result: I },
  dnnl_primitive_desc_query_md: { parameters: [P, I, I], result: P },
  dnnl_primitive_desc_destroy: { parameters: [P], result: I },
  dnnl_primitive_create: { parameters: [B, P], result: I },
  dnnl_primitive_execute: { parameters: [P, P, I, B], result: I },
  dnnl_primitive_destroy: { parameters: [P], result: I },
  dnnl_primitive_attr_create: { parameters: [B], result: I },
  dnnl_primitive_attr_set_post_ops: { parameters: [P, P], result: I },
  dnnl_primitive_attr_destroy: { parameters: [P], result: I },
  dnnl_post_ops_create: { parameters: [B], result: I },
  dnnl_post_ops_destroy: { parameters: [P], result: I },
  dnnl_reorder_primitive_desc_create: { parameters: [B, P, P, P, P, P], result: I },
  /** Of the OpenMP runtime that the library brings; absent when it was built for another. Holds for the calling thread. */
  omp_set_num_threads: { parameters: [I], result: "void", optional: true },
} as const;

/** Version 2: an operation is described by a struct, which becomes a primitive descriptor. */
export const symbolsOf2 = {
  ...shared,
  dnnl_memory_desc_init_by_strides: { parameters: [B, I, B, I, B], result: I },
  dnnl_memory_desc_init_by_tag: { parameters: [B, I, B, I, I], result: I },
  dnnl_primitive_desc_create: { parameters: [B, B, P, P, P], result: I },
  dnnl_post_ops_append_sum: { parameters: [P, F], result: I },
  dnnl_post_ops_append_eltwise: { parameters: [P, F, I, F, F], result: I },
  dnnl_convolution_forward_desc_init: { parameters: [B, I, I, P, P, P, P, B, B, B], result: I },
  dnnl_convolution_backward_data_desc_init: { parameters: [B, I, P, P, P, B, B, B], result: I },
  dnnl_convolution_backward_weights_desc_init: { parameters: [B, I, P, P, P, P, B, B, B], result: I },
  dnnl_eltwise_forward_desc_init: { parameters: [B, I, I, P, F, F], result: I },
  dnnl_eltwise_backward_desc_init: { parameters: [B, I, P, P, F, F], result: I },
  dnnl_batch_normalization_forward_desc_init: { parameters: [B, I, P, F, U], result: I },
  dnnl_pooling_forward_desc_init: { parameters: [B, I, I, P, P, B, B, B, B], result: I },
  dnnl_resampling_forward_desc_init: { parameters: [B, I, I, P, P, P], result: I },
  dnnl_resampling_backward_desc_init: { parameters: [B, I, P, P, P], result: I },
  dnnl_inner_product_forward_desc_init: { parameters: [B, I, P, P, P, P], result: I },
  dnnl_inner_product_backward_data_desc_init: { parameters: [B, P, P, P], result: I },
  dnnl_inner_product_backward_weights_desc_init: { parameters: [B, P, P, P, P], result: I },
  dnnl_matmul_desc_init: { parameters: [B, P, P, P, P], result: I },
  dnnl_binary_desc_init: { parameters: [B, I, P, P, P], result: I },
} as const;

/** Version 3: primitive descriptors are made at once, and memory descriptors are opaque. */
export const symbolsOf3 = {
  ...shared,
  dnnl_memory_desc_create_with_strides: { parameters: [B, I, B, I, B], result: I },
  dnnl_memory_desc_create_with_tag: { parameters: [B, I, B, I, I], result: I },
  dnnl_memory_desc_destroy: { parameters: [P], result: I },
  dnnl_post_ops_append_sum: { parameters: [P, F, I, I], result: I },
  dnnl_post_ops_append_eltwise: { parameters: [P, I, F, F], result: I },
  dnnl_convolution_forward_primitive_desc_create: { parameters: [B, P, I, I, P, P, P, P, B, B, B, B, P], result: I },
  dnnl_convolution_backward_data_primitive_desc_create: { parameters: [B, P, I, P, P, P, B, B, B, B, P, P], result: I },
  dnnl_convolution_backward_weights_primitive_desc_create: { parameters: [B, P, I, P, P, P, P, B, B, B, B, P, P], result: I },
  dnnl_eltwise_forward_primitive_desc_create: { parameters: [B, P, I, I, P, P, F, F, P], result: I },
  dnnl_eltwise_backward_primitive_desc_create: { parameters: [B, P, I, P, P, P, F, F, P, P], result: I },
  dnnl_batch_normalization_forward_primitive_desc_create: { parameters: [B, P, I, P, P, F, U, P], result: I },
  dnnl_pooling_forward_primitive_desc_create: { parameters: [B, P, I, I, P, P, B, B, B, B, B, P], result: I },
  dnnl_resampling_forward_primitive_desc_create: { parameters: [B, P, I, I, P, P, P, P], result: I },
  dnnl_resampling_backward_primitive_desc_create: { parameters: [B, P, I, P, P, P, P, P], result: I },
  dnnl_inner_product_forward_primitive_desc_create: { parameters: [B, P, I, P, P, P, P, P], result: I },
  dnnl_inner_product_backward_data_primitive_desc_create: { parameters: [B, P, P, P, P, P, P], result: I },
  dnnl_inner_product_backward_weights_primitive_desc_create: { parameters: [B, P, P, P, P, P, P, P], result: I },
  dnnl_matmul_primitive_desc_create: { parameters: [B, P, P, P, P, P, P], result: I },
  dnnl_binary_primitive_desc_create: { parameters: [B, P, I, P, P, P, P], result: I },
} as const;
