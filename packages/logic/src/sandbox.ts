export interface SandboxInput {
  id: string;
  customerId: string;
  traceId: string;
  pipelineId: string;
  contentType: string;
  receivedAtMs: number;
  /** JSON of the list of name and value. Read only by steps that look at headers. */
  headersJson: string;
  payload: Uint8Array;
}

export interface SandboxLimits {
  instructions: number;
  memoryBytes: number;
  depth: number;
  outputBytes: number;
  logLines: number;
  logBytes: number;
}

/** What one message cost and said, and what came of it. */
export type SandboxResult = { instructions: number; split?: Split; logs: string[] } & (
  | { outcome: 'kept' }
  | { outcome: 'dropped'; reason: string; route?: string }
  /** `payload` is a view into the sandbox's memory: copy it before the next run. `contentType` undefined: as the input's. */
  | { outcome: 'made'; payload: Uint8Array; contentType: string | undefined }
  | { outcome: 'threw'; reason: string; stack: string }
  | { outcome: 'bad_output'; reason: string }
  | { outcome: 'trapped'; reason: string }
  | { outcome: 'instructions_exhausted' }
  | { outcome: 'memory_exhausted' }
  | { outcome: 'stack_exhausted' }
  /** A fault of the engine. The instance is as good as new for the next run. */
  | { outcome: 'engine_failed'; reason: string }
  | { outcome: 'output_too_large'; bytes: number }
);

/** Instructions by what they were for. */
export interface Split {
  /** Reading the payload. */
  decode: number;
  logic: number;
  /** Writing the result. */
  encode: number;
}

/** The code of a step that does not load, and where the engine says it failed. */
export class SandboxLoadError extends Error {
  readonly stackText: string;
  constructor(message: string, stackText: string) {
    super(message);
    this.name = 'SandboxLoadError';
    this.stackText = stackText;
  }
}
