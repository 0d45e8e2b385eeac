'use client';

import { ActionIcon, Button, Menu, TextInput, Tooltip } from '@mantine/core';
import { IconBookmark, IconCheck, IconCircleDashed, IconDots, IconPencil, IconTrash, IconX } from '@tabler/icons-react';
import type { PipelineDraft, StepSpec } from '@vrsky/contracts/pipeline-spec';
import type { ReactNode } from 'react';
import { addFixture, FIXTURE_TEXT_MAX, hasRoomForFixture, removeFixture, toExpectation, updateFixture } from '../../fixtures.ts';
import type { BenchInput } from '../../workbench/bench-types.ts';
import { CodeEditor } from '../CodeEditor.tsx';
import { TakesSelect } from '../TakesSelect.tsx';
import { HeadersEditor } from './HeadersEditor.tsx';
import { MessagePicker } from './MessagePicker.tsx';
import classes from './Step.module.css';
import { editorLanguage, type SampleFacts } from './sample.ts';
import type { Bench } from './use-bench.ts';

interface InputPaneProps {
  pipelineId: string;
  draft: PipelineDraft;
  step: StepSpec;
  /** null: the sample. */
  selected: number | null;
  input: BenchInput;
  facts: SampleFacts;
  bench: Bench;
  /** Why its input cannot be what it is. */
  problem: string | undefined;
  readOnly: boolean;
  onFacts: (facts: SampleFacts) => void;
  onChange: (change: Partial<StepSpec>) => void;
  onSelect: (fixture: number | null) => void;
}

/** What the step is tried on: a sample, taken or typed, and the fixtures that were made of samples. */
export function InputPane(props: InputPaneProps) {
  const { step, selected, input, facts, bench, readOnly, onFacts, onChange, onSelect } = props;
  const fixtures = step.fixtures ?? [];
  const fixture = selected === null ? null : fixtures[selected];
  const results = bench.fixtures;

  const setInput = (change: Partial<BenchInput>) => {
    if (selected !== null) return onChange(updateFixture(step, selected, { input: { ...input, ...change } }));
    const { payload, contentType = facts.contentType, headers = facts.headers } = change;
    if (payload === undefined) onFacts({ ...facts, contentType, headers });
    else {
      onChange({ sample: payload.slice(0, FIXTURE_TEXT_MAX) });
      // What was typed is no longer the message that came in.
      if (facts.message) onFacts({ ...facts, message: null });
    }
  };
  const expectation = bench.run && !bench.isStale ? toExpectation(bench.run, step.kind) : null;
  const keep = () => {
    if (!expectation) return;
    onChange(addFixture(step, { input, expect: expectation }));
    onSelect(fixtures.length);
  };

  return (
    <section className={classes.column} data-part="input" aria-label="Input">
      <div className={classes.head}>
        <h2>Input</h2>
        <div className={classes.end}>
          <MessagePicker
            {...props}
            onTake={(taken) => {
              if (taken.encoding === 'utf8') {
                onChange({ sample: taken.payload });
                onFacts({ contentType: taken.contentType, headers: taken.headers, message: taken.message });
                onSelect(null);
                return;
              }
              const { message: _message, ...binary } = taken;
              // A sample is text; what is not text is kept as a fixture at once.
              onChange(addFixture(step, { input: binary, expect: { outcome: 'ok', encoding: 'utf8' } }));
              onSelect(fixtures.length);
            }}
          />
        </div>
      </div>
      <ul className={classes.cases} aria-label="What the step is tried on">
        <Case icon={<IconPencil size={14} aria-hidden />} name="Sample" selected={selected === null} onSelect={() => onSelect(null)}>
          <Tooltip label={hasRoomForFixture(step) ? 'Keep this input and its result as a fixture: publishing runs it' : 'A step has at most 20 fixtures'}>
            <Button
              variant="subtle"
              size="compact-xs"
              leftSection={<IconBookmark size={13} aria-hidden />}
              disabled={readOnly || selected !== null || expectation === null || !hasRoomForFixture(step)}
              onClick={keep}
            >
              Save as fixture
            </Button>
          </Tooltip>
        </Case>
        {fixtures.map((item, i) => (
          <Case
            // biome-ignore lint/suspicious/noArrayIndexKey: names may be equal while they are typed
            key={i}
            icon={<Verdict ok={results?.[i]?.ok} />}
            name={item.name}
            note={results?.[i]?.reason ?? undefined}
            selected={selected === i}
            onSelect={() => onSelect(i)}
          >
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon size={24} aria-label={`More for ${item.name}`} disabled={readOnly}>
                  <IconDots size={14} aria-hidden />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item
                  leftSection={<IconTrash size={15} aria-hidden />}
                  color="red"
                  onClick={() => {
                    onChange(removeFixture(step, i));
                    if (selected !== null) onSelect(null);
                  }}
                >
                  Delete fixture
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Case>
        ))}
      </ul>
      <div className={classes.facts}>
        <TakesSelect
          draft={props.draft}
          part={step}
          error={props.problem}
          readOnly={readOnly}
          size="xs"
          onChange={(change) => onChange(change as Partial<StepSpec>)}
        />
        {fixture && selected !== null && (
          <TextInput
            size="xs"
            label="Name of the fixture"
            value={fixture.name}
            readOnly={readOnly}
            maxLength={80}
            error={fixture.name.trim() === '' ? 'Give it a name' : undefined}
            onChange={(event) => onChange(updateFixture(step, selected, { name: event.currentTarget.value }))}
          />
        )}
        <TextInput
          size="xs"
          label="Content type"
          value={input.contentType}
          readOnly={readOnly}
          maxLength={200}
          onChange={(event) => setInput({ contentType: event.currentTarget.value })}
        />
        <HeadersEditor
          key={selected ?? `sample ${facts.message?.id ?? ''}`}
          headers={input.headers}
          readOnly={readOnly}
          onChange={(headers) => setInput({ headers })}
        />
      </div>
      <div className={classes.fill}>
        <CodeEditor
          key={`${selected ?? 'sample'} ${editorLanguage(input.contentType)}`}
          value={input.payload}
          label={selected === null ? 'Sample message' : 'Input of the fixture'}
          language={input.encoding === 'base64' ? 'text' : editorLanguage(input.contentType)}
          readOnly={readOnly || input.encoding === 'base64'}
          fill
          onChange={(payload) => setInput({ payload })}
        />
      </div>
    </section>
  );
}

interface CaseProps {
  icon: ReactNode;
  name: string;
  note?: string | undefined;
  selected: boolean;
  onSelect: () => void;
  children: ReactNode;
}

function Case({ icon, name, note, selected, onSelect, children }: CaseProps) {
  return (
    <li className={classes.case} data-selected={selected || undefined}>
      <button type="button" onClick={onSelect} aria-current={selected ? 'true' : undefined} title={note}>
        {icon}
        <span>{name}</span>
      </button>
      {children}
    </li>
  );
}

function Verdict({ ok }: { ok: boolean | undefined }) {
  if (ok === undefined) return <IconCircleDashed size={14} data-ok="unknown" aria-label="Not run yet:" role="img" />;
  return ok ? <IconCheck size={14} data-ok="true" aria-label="Passes:" role="img" /> : <IconX size={14} data-ok="false" aria-label="Fails:" role="img" />;
}
