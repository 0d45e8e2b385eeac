import * as asc from 'assemblyscript';
import type { CodeProblem } from '../compile.ts';
import { explain } from './hints.ts';

/** A diagnostic of the compiler, in the words and at the place of the step's author; null when it is none of theirs. */
export function toProblem(diagnostic: asc.DiagnosticMessage, step: asc.Source, blamed?: asc.Range): CodeProblem | null {
  const severity = asc.isError(diagnostic) ? 'error' : 'warning';
  const isEmpty = diagnostic.range !== null && diagnostic.range.start === diagnostic.range.end;
  const range = [isEmpty ? blamed : diagnostic.range, blamed, diagnostic.relatedRange, diagnostic.range].find((candidate) => candidate?.source === step);
  if (severity === 'warning' && diagnostic.range?.source !== step) return null;
  const start = range?.start ?? 0;
  return codeProblem(step.text, start, range?.end ?? 0, explain(diagnostic.message, step.text, start), severity);
}

export function codeProblem(text: string, start: number, end: number, message: string, severity: CodeProblem['severity'] = 'error'): CodeProblem {
  const from = position(text, start);
  const to = position(text, Math.max(start, end));
  return { line: from.line, column: from.column, endLine: to.line, endColumn: to.column, severity, message };
}

function position(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
