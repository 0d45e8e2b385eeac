export interface CodeProblem {
  /** From 1, in the customer's source. */
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  severity: 'error' | 'warning';
  message: string;
}

export type CompileResult = { ok: true; code: string; sha256: string; problems: CodeProblem[] } | { ok: false; problems: CodeProblem[] };

export declare function compileStep(step: { kind: 'convert' | 'filter'; source: string }): Promise<CompileResult>;
