/**
 * The engine's exports have one- and two-letter names; this is what they mean (in the package: `dist/emscripten-module.mjs`).
 * A test compares the list with the installed package.
 */
export const engineExports = {
  construct: 'u',
  malloc: 'v',
  QTS_RuntimeSetMaxStackSize: 'D',
  QTS_GetUndefined: 'E',
  QTS_NewRuntime: 'K',
  QTS_NewContext: 'N',
  QTS_NewArrayBuffer: 'X',
  QTS_FreeValuePointer: 'P',
  QTS_NewFloat64: 'Y',
  QTS_GetFloat64: 'Z',
  QTS_NewString: '_',
  QTS_GetString: '$',
  QTS_GetArrayBuffer: 'aa',
  QTS_GetArrayBufferLength: 'ba',
  QTS_ExecutePendingJob: 'ga',
  QTS_GetProp: 'ha',
  QTS_GetPropNumber: 'ia',
  QTS_Call: 'ma',
  QTS_ResolveException: 'na',
  QTS_Eval: 'pa',
  QTS_NewFunction: 'Da',
  QTS_bjson_decode: 'Ka',
} as const;
