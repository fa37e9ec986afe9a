/** The fuzz tests of the formats with many more cases. */
Deno.env.set("TOMOSIEVE_FUZZ", "20000");
await import("../plugins/formats/fuzz_test.ts");
await import("../plugins/formats/volume_fuzz_test.ts");
await import("../plugins/formats/particles_fuzz_test.ts");
