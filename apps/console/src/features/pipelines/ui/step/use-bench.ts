'use client';

import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { Fixture, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { useMemo } from 'react';
import { useTRPC } from '../../../../trpc/trpc-context.ts';
import type { CodeProblem, CompiledView } from '../../types.ts';
import type { BenchInput, BenchMessage, BenchRun, BenchStep, FixtureRun } from '../../workbench/bench-types.ts';
import type { Workbench } from '../../workbench/clients.ts';

/** A result stands within 300 ms of the last key. */
const RUN_AFTER_MS = 100;
/** AssemblyScript is compiled by the server. */
const SEND_AFTER_MS = 500;
const FIXTURES_AFTER_MS = 600;

export interface Bench {
  problems: CodeProblem[];
  /** What is known of the code that stands there now. */
  code: 'none' | 'compiling' | 'checking' | 'checked' | { failed: string };
  run: BenchRun | null;
  /** Why there is no result though there is code that runs. */
  runFailed: string | null;
  /** `run` is of an earlier code or input. */
  isStale: boolean;
  fixtures: FixtureRun[] | null;
}

interface BenchOptions {
  step: StepSpec;
  input: BenchInput;
  message: BenchMessage;
}

/** Answers that never change: same code, same input, same count. */
const pure = { staleTime: Number.POSITIVE_INFINITY, gcTime: 60_000, retry: false, refetchOnWindowFocus: false, meta: { neverChanges: true } } as const;

/** Compiles, checks and runs the step while it is typed, all in workers of this page. */
export function useBench(workbench: Workbench | null, { step, input, message }: BenchOptions): Bench {
  const trpc = useTRPC();
  const { mutateAsync: compileOnServer } = useMutation(trpc.pipelines.compileStep.mutationOptions());
  const { kind, language } = step;
  const [source] = useDebouncedValue(step.source, language === 'assemblyscript' ? SEND_AFTER_MS : RUN_AFTER_MS);
  const typescript = language === 'typescript';
  const enabled = workbench !== null && source !== '';

  const compiled = useQuery({
    queryKey: ['step-compile', kind, language, source],
    queryFn: async (): Promise<CompiledView> => {
      if (language === 'wasm') return { ok: true, format: 'wasm', code: source, problems: [] };
      if (language === 'assemblyscript') return compileOnServer({ kind, language, source });
      const script = await use(workbench).language.call('compile', source);
      return script.ok ? { ok: true, format: 'script', code: script.code, problems: [] } : script;
    },
    enabled,
    ...pure,
  });
  const checked = useQuery({
    queryKey: ['step-check', kind, source],
    queryFn: () => use(workbench).language.call('check', kind, source),
    enabled: enabled && typescript,
    ...pure,
  });

  const { data } = compiled;
  const benchStep = useMemo((): BenchStep | null => (data?.ok ? { kind, format: data.format, code: data.code } : null), [data, kind]);
  const [tried] = useDebouncedValue(input, RUN_AFTER_MS);
  const run = useQuery({
    queryKey: ['step-run', benchStep, tried, message],
    queryFn: () => use(workbench).runner.call('run', benchStep as BenchStep, tried, message),
    enabled: benchStep !== null,
    placeholderData: (before) => before,
    ...pure,
  });
  const fixtures = useFixtureRuns(workbench, benchStep, step.fixtures ?? none);

  const here = source === step.source;
  const failure = compiled.error ?? checked.error;
  const problems = typescript ? checked.data : compiled.data?.problems;
  return {
    problems: useMemo(() => (here ? (problems ?? []) : []), [here, problems]),
    code: failure ? { failed: failure.message } : !here || compiled.isPending ? 'compiling' : typescript && checked.isPending ? 'checking' : 'checked',
    run: step.source === '' ? null : (run.data ?? null),
    runFailed: run.error?.message ?? null,
    isStale: !here || benchStep === null || run.isPlaceholderData || tried !== input,
    fixtures,
  };
}

/** All fixtures, a little later than the sample: they are to be right, not to be quick. */
function useFixtureRuns(workbench: Workbench | null, step: BenchStep | null, fixtures: Fixture[]): FixtureRun[] | null {
  const tried = useMemo(() => ({ step, fixtures }), [step, fixtures]);
  const [later] = useDebouncedValue(tried, FIXTURES_AFTER_MS);
  const runs = useQuery({
    queryKey: ['step-fixtures', later.step, later.fixtures],
    queryFn: () => use(workbench).runner.call('fixtures', later.step as BenchStep, later.fixtures),
    enabled: later.step !== null && later.fixtures.length > 0,
    ...pure,
  });
  return later === tried ? (runs.data ?? null) : null;
}

const none: Fixture[] = [];

function use(workbench: Workbench | null): Workbench {
  if (!workbench) throw new Error('bug: a query runs before the workbench is there');
  return workbench;
}
