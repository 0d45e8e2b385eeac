import wabt from 'wabt';

const tools = await wabt();

/** The bytes of a module in text form. */
export function wat(text: string): Uint8Array {
  const parsed = tools.parseWat('test.wat', text, {
    bulk_memory: true,
    simd: true,
    multi_value: true,
    mutable_globals: true,
    reference_types: true,
    sign_extension: true,
    sat_float_to_int: true,
    tail_call: true,
    threads: true,
    exceptions: true,
  });
  try {
    return parsed.toBinary({ write_debug_names: true }).buffer;
  } finally {
    parsed.destroy();
  }
}
