import { setTimeout as wait } from 'node:timers/promises';
import { type BuiltStep, buildStep, resolveTarget, type TargetOptions } from '../build/build-step.ts';
import { CliError } from '../cli-error.ts';
import type { Settings } from '../config.ts';
import { readFixtures } from '../fixture-files.ts';
import { findProject, shown } from '../project.ts';
import { createRestClient, describeProblem, type Pipeline, type Problem, type RestClient } from '../rest-client.ts';
import type { Terminal } from '../terminal.ts';
import { failing, show, tryFixtures } from './test.ts';

export interface PublishOptions extends TargetOptions {
  url?: string;
  pipeline?: string;
  step?: string;
  create?: boolean;
  wait?: boolean;
  timeout: number;
  json?: boolean;
}

interface Published {
  pipelineId: string;
  stepId: string;
  revision: number;
  sha256: string;
}

/** Puts the built step with its fixtures into a pipeline's step and publishes the pipeline. A fixture that fails stops it before anything is sent. */
export async function publish(given: string | undefined, options: PublishOptions, settings: Settings, terminal: Terminal): Promise<void> {
  const target = resolveTarget(given, options);
  const project = findProject(target.file);
  const pipelineName = need(options.pipeline ?? project?.pipeline, 'Which pipeline? Name it with --pipeline <id or name>, or as "pipeline" in vrsky.json');
  const stepId = need(options.step ?? project?.step, 'Which step of it? Name its id with --step <id>, or as "step" in vrsky.json');
  const client = createRestClient({
    url: need(options.url ?? settings.url, "Where is VRSky? Give the console's URL with --url, or in VRSKY_URL"),
    apiKey: need(settings.apiKey, 'There is no API key: make one in the console under API keys, and put it into VRSKY_API_KEY'),
  });
  const built = await terminal.during(`Building ${shown(target.file)}`, buildStep(target));
  const fixtures = readFixtures(target.dir);
  await expectFixtures(built, fixtures, terminal);

  const { pipeline, etag } = await findPipeline(client, pipelineName);
  const exists = pipeline.draft.steps.some(({ id }) => id === stepId);
  if (!exists && !options.create) throw noStep(pipeline, stepId);
  const body = { kind: target.kind, language: target.language, source: built.source, fixtures };
  const saved = await terminal.during('Saving the step', client.putStep(pipeline.id, stepId, body, etag));
  const result = await terminal.during('Publishing', client.publish(pipeline.id, saved.etag));
  if (!result.ok) throw notPublishable(result.problems);
  const published: Published = { pipelineId: pipeline.id, stepId, revision: result.revision, sha256: built.step.sha256 };
  if (!options.json) terminal.err(`${terminal.paint.green('✓')} Revision ${result.revision} of ${pipeline.name} is published`);
  const nodes = options.wait ? await terminal.during('Waiting for the nodes', untilApplied(client, published, options.timeout)) : null;
  if (options.json) terminal.out(`${JSON.stringify({ ...published, ...(nodes !== null && { nodes }) })}\n`);
  else if (nodes !== null) terminal.err(`${terminal.paint.green('✓')} ${nodes.join(', ')} ${nodes.length === 1 ? 'runs' : 'run'} it`);
}

function need(value: string | undefined, sentence: string): string {
  if (value === undefined || value === '') throw new CliError('usage', sentence);
  return value;
}

async function expectFixtures(built: BuiltStep, fixtures: ReturnType<typeof readFixtures>, terminal: Terminal): Promise<void> {
  const results = await tryFixtures(built, fixtures);
  const failed = results.flatMap((result, i) => (result.ok ? [] : [{ result, fixture: fixtures[i] as (typeof fixtures)[number] }]));
  for (const { result, fixture } of failed) show(result, fixture, terminal);
  if (failed.length > 0) {
    const { message } = failing(failed.length, results.length);
    throw new CliError('fixtures', `${message}: nothing was sent`);
  }
}

/** By id, or by name if there is only one of it. */
async function findPipeline(client: RestClient, wanted: string): Promise<{ pipeline: Pipeline; etag: string }> {
  if (/^pip_\w+$/.test(wanted)) return client.getPipeline(wanted);
  const all = await client.listPipelines();
  const named = all.filter(({ name }) => name === wanted);
  if (named.length === 1) return client.getPipeline((named[0] as { id: string }).id);
  const list = (named.length > 1 ? named : all).map(({ id, name }) => `${id}  ${name}`);
  if (named.length > 1) throw new CliError('refused', `${named.length} pipelines have the name ${wanted}: take the id`, list);
  throw new CliError('refused', `There is no pipeline ${wanted}${all.length === 0 ? ': make one in the console' : ': there are those above'}`, list);
}

function noStep({ name, draft }: Pipeline, stepId: string): CliError {
  const list = draft.steps.map((step) => `${step.id}  ${step.name} (${step.kind})`);
  const there = list.length === 0 ? 'it has no step yet' : 'it has those above';
  return new CliError('refused', `${name} has no step ${stepId}: ${there}; add it as the last one with --create`, list);
}

/** The draft is saved all the same, as in the page. */
function notPublishable(problems: Problem[]): CliError {
  const isFixture = problems.some(({ path }) => /^\/steps\/\d+\/fixtures\//.test(path));
  return new CliError(
    isFixture ? 'fixtures' : 'refused',
    'The draft is saved, but it is not published: change what is said above',
    problems.map(describeProblem),
  );
}

/** The names of the nodes that run the revision, once all that are there do. */
async function untilApplied(client: RestClient, { pipelineId }: Published, timeoutSeconds: number): Promise<string[]> {
  const deadline = performance.now() + timeoutSeconds * 1_000;
  for (;;) {
    const rollout = await client.getRollout(pipelineId);
    const rejected = rollout.filter(({ state }) => state === 'rejected');
    if (rejected.length > 0)
      throw new CliError(
        'rollout',
        'It is published, but a node rejected it: the nodes go on with the revision before',
        rejected.map((node) => `${node.nodeName}: ${node.reason}`),
      );
    // A node that is silent gets it when it is back; those that are there decide.
    const present = rollout.filter(({ state }) => state !== 'silent');
    if (present.length > 0 && present.every(({ state }) => state === 'applied')) return present.map(({ nodeName }) => nodeName);
    if (performance.now() > deadline) {
      const list = rollout.map(({ nodeName, state }) => `${nodeName}: ${state}`);
      throw new CliError(
        'rollout',
        `It is published, but ${list.length === 0 ? 'no node is there to run it' : 'not every node runs it'} after ${timeoutSeconds} s`,
        list,
      );
    }
    await wait(POLL_MS);
  }
}

const POLL_MS = 250;
