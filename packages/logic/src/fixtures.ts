import type { Fixture } from '@vrsky/contracts/pipeline-spec';
import type { Executor } from './executor.ts';
import { defaultStepLimits } from './step-limits.ts';
import type { LogicMessage, LogicStep, StepLimits, StepRun } from './types.ts';

export interface FixtureResult {
  name: string;
  ok: boolean;
  /** What is not as the fixture expects. */
  reason?: string;
  run: StepRun;
}

/** Runs a step on its fixtures in the calling thread. */
export function runFixtures(
  executor: Pick<Executor, 'run'>,
  step: LogicStep,
  fixtures: readonly Fixture[],
  { tenantId = 'fixtures', limits = defaultStepLimits }: { tenantId?: string; limits?: StepLimits } = {},
): FixtureResult[] {
  const messages = fixtures.map(fixtureMessage);
  const inputs = messages.map((message) => ({ ...message, headersJson: JSON.stringify(message.headers) }));
  const results = executor.run({ tenantId, steps: [step], messages: inputs, capture: true, limits });
  return fixtures.map((fixture, i) => judgeFixture(fixture, { payload: messages[i]?.payload, ...withoutUndefined(results[i] as (typeof results)[number]) }));
}

/** The message of a fixture: the same each time, so that its step makes the same of it. */
export function fixtureMessage({ input }: Fixture): LogicMessage {
  return {
    id: 'fixture',
    customerId: 'fixture',
    traceId: '00000000000000000000000000000001',
    pipelineId: 'fixture',
    headers: Object.entries(input.headers),
    contentType: input.contentType,
    payload: toBytes(input.payload, input.encoding),
    receivedAtMs: Date.UTC(2026, 0, 1),
  };
}

/** What a step made of a fixture's message, beside what the fixture expects. */
export function judgeFixture(
  fixture: Fixture,
  result: { outcome: 'ok' | 'filtered' | 'failed'; payload?: Uint8Array | undefined; reason?: string; steps: StepRun[] },
): FixtureResult {
  const reason = misfit(fixture.expect, result);
  const judged = { name: fixture.name, run: result.steps[0] as StepRun };
  return reason === null ? { ...judged, ok: true } : { ...judged, ok: false, reason };
}

function misfit(expected: Fixture['expect'], { outcome, payload, reason }: Parameters<typeof judgeFixture>[1]): string | null {
  const because = reason ? `: ${reason}` : '';
  if (outcome !== expected.outcome) return `The outcome is "${outcome}", not "${expected.outcome}"${because}`;
  if (expected.outcome !== 'ok') {
    return expected.reason === undefined || expected.reason === reason ? null : `The reason is ${show(reason ?? '')}, not ${show(expected.reason)}`;
  }
  if (expected.output === undefined) return null;
  const made = payload ?? new Uint8Array(0);
  const wanted = toBytes(expected.output, expected.encoding);
  if (made.length === wanted.length && made.every((byte, i) => byte === wanted[i])) return null;
  const [madeText, wantedText] = [decoder.decode(made), decoder.decode(wanted)];
  const [madeValue, wantedValue] = [parse(madeText), parse(wantedText)];
  if (madeValue === undefined || wantedValue === undefined) return `The step made ${show(madeText)}, not ${show(wantedText)}`;
  return difference(madeValue.json, wantedValue.json, '');
}

const decoder = new TextDecoder();
const shownMax = 200;

/** The first place where two JSON values differ, in words; null when they are equal. */
function difference(made: unknown, wanted: unknown, path: string): string | null {
  const at = path === '' ? 'The output' : path;
  if (Object.is(made, wanted)) return null;
  if (!isContainer(made) || !isContainer(wanted) || Array.isArray(made) !== Array.isArray(wanted)) return `${at} is ${showJson(made)}, not ${showJson(wanted)}`;
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(made)])) {
    const inner = Array.isArray(wanted) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    if (!Object.hasOwn(made, key)) return `${inner} is missing`;
    if (!Object.hasOwn(wanted, key)) return `${inner} is ${showJson(made[key])}, and not expected`;
    const found = difference(made[key], wanted[key], inner);
    if (found !== null) return found;
  }
  return null;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function parse(text: string): { json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined; // it is no JSON, so it is compared as text
  }
}

function showJson(value: unknown): string {
  return show(JSON.stringify(value), false);
}

function show(text: string, quoted = true): string {
  const short = text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
  return quoted ? JSON.stringify(short) : short;
}

function toBytes(text: string, encoding: 'utf8' | 'base64'): Uint8Array {
  return encoding === 'utf8' ? new TextEncoder().encode(text) : Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** A step that leaves the message as it came gives no payload. */
function withoutUndefined<T extends { payload: Uint8Array | undefined }>({ payload, ...rest }: T): Omit<T, 'payload'> & { payload?: Uint8Array } {
  return payload === undefined ? rest : { ...rest, payload };
}
