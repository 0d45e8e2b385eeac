'use client';

import { Loader } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconChevronRight, IconX } from '@tabler/icons-react';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { useMemo } from 'react';
import { formatCount } from '../../../../ui/format.ts';
import { languageWords } from '../../starters.ts';
import type { CodeProblem } from '../../types.ts';
import type { Workbench } from '../../workbench/clients.ts';
import { CodeEditor } from '../CodeEditor.tsx';
import { LanguageSelect } from './LanguageSelect.tsx';
import { ModulePane } from './ModulePane.tsx';
import classes from './Step.module.css';
import { typescriptSupport } from './typescript-support.ts';
import type { Bench } from './use-bench.ts';

interface CodePaneProps {
  step: StepSpec;
  bench: Bench;
  workbench: Workbench | null;
  readOnly: boolean;
  goTo: { line: number; column: number } | null;
  onGoTo: (place: { line: number; column: number }) => void;
  onChange: (change: Partial<StepSpec>) => void;
}

/** The code, whether it is sound, and what it says while it runs. */
export function CodePane({ step, bench, workbench, readOnly, goTo, onGoTo, onChange }: CodePaneProps) {
  const support = useMemo(() => (workbench && step.language === 'typescript' ? typescriptSupport(workbench.language) : undefined), [workbench, step.language]);
  return (
    <section className={classes.column} data-part="code" aria-label="Code">
      <div className={classes.head}>
        <h2 className="visually-hidden">Code</h2>
        <LanguageSelect step={step} readOnly={readOnly} onChange={onChange} />
        <div className={classes.end}>
          <CodeState bench={bench} language={step.language} />
        </div>
      </div>
      {step.language === 'wasm' ? (
        <ModulePane step={step} workbench={workbench} readOnly={readOnly} onChange={onChange} />
      ) : (
        <div className={classes.fill}>
          <CodeEditor
            key={step.language}
            value={step.source}
            label={`${languageWords[step.language]} of ${step.name}`}
            language="typescript"
            problems={bench.problems}
            readOnly={readOnly}
            goTo={goTo}
            fill
            {...(support && { support })}
            onChange={(source) => onChange({ source })}
          />
        </div>
      )}
      <Says bench={bench} onGoTo={onGoTo} />
    </section>
  );
}

function CodeState({ bench: { code, problems }, language }: { bench: Bench; language: StepSpec['language'] }) {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  if (typeof code === 'object')
    return (
      <span className={classes.state} data-tone="bad" role="status">
        <IconX size={14} aria-hidden /> Not checked
      </span>
    );
  if (code === 'none') return null;
  if (code !== 'checked')
    return (
      <span className={classes.state} role="status">
        <Loader size={12} aria-hidden /> {language === 'assemblyscript' ? 'Compiling…' : 'Checking…'}
      </span>
    );
  return errors === 0 ? (
    <span className={classes.state} data-tone="good" role="status">
      <IconCheck size={14} aria-hidden /> No problems found
    </span>
  ) : (
    <span className={classes.state} data-tone="bad" role="status">
      <IconAlertTriangle size={14} aria-hidden /> {formatCount(errors, 'error')}
    </span>
  );
}

/** Problems of the code with their lines, then what the step logged. */
function Says({ bench: { code, problems, run, isStale }, onGoTo }: { bench: Bench; onGoTo: CodePaneProps['onGoTo'] }) {
  const logs = run && !isStale ? run.logs : [];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className={classes.says} tabIndex={0} aria-label="Problems and log">
      {typeof code === 'object' && (
        <ol>
          <li data-kind="error">
            <IconX size={13} aria-hidden />
            {code.failed}
          </li>
        </ol>
      )}
      {problems.length + logs.length === 0 && typeof code !== 'object' && (
        <p>
          Problems of the code and what it logs are listed here. <code>ctx.log(…)</code> writes a line.
        </p>
      )}
      {problems.length + logs.length > 0 && (
        <ol aria-live="polite">
          {problems.map((problem) => (
            <Problem key={`${problem.line}:${problem.column} ${problem.message}`} problem={problem} onGoTo={onGoTo} />
          ))}
          {logs.map((line, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity but their place
            <li key={i} data-kind="log">
              <IconChevronRight size={13} aria-hidden />
              <pre>{line}</pre>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Problem({ problem, onGoTo }: { problem: CodeProblem; onGoTo: CodePaneProps['onGoTo'] }) {
  return (
    <li data-kind={problem.severity}>
      {problem.severity === 'error' ? <IconX size={13} aria-hidden /> : <IconAlertTriangle size={13} aria-hidden />}
      <button type="button" onClick={() => onGoTo({ line: problem.line, column: problem.column })}>
        Line {problem.line}: {problem.message}
      </button>
    </li>
  );
}
