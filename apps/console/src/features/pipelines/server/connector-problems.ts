import { type DestinationSpec, isHttp, isPlainHttp, type PipelineDraft, type SourceSpec } from '@vrsky/contracts/pipeline-spec';
import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { askConnector } from '../../../server/run/ask-connector.ts';
import { checkBySchema } from '../../connectors/server/check-part.ts';
import { type MergedConnector, mergeOffers, releaseFor } from '../../connectors/server/merge-offers.ts';
import { getSchemas, type NodeOffers, readOffers } from '../../connectors/server/read-offers.ts';
import { secretErrors } from '../../connectors/server/test-connector.ts';
import type { ConnectorRole } from '../../connectors/types.ts';
import type { DraftProblem } from '../types.ts';

/** A publish waits this long for the connectors' own judgement, all parts at once. */
const ASK_WAIT_MS = 6_000;

interface Part {
  /** JSON Pointer into the draft. */
  at: string;
  role: ConnectorRole;
  spec: SourceSpec | DestinationSpec;
  /** Of a source: its senders wait so long for the pipeline's result; 0: not at all. */
  replyWithinMs: number;
}

function allParts(draft: PipelineDraft): Part[] {
  return [
    { at: '/source', role: 'source', spec: draft.source, replyWithinMs: draft.reply?.withinMs ?? 0 },
    ...draft.destinations.map((spec, i): Part => ({ at: `/destinations/${i}`, role: 'destination', spec, replyWithinMs: 0 })),
  ];
}

/** HTTP comes with every node. What the contract does not know of it, the connector says: more than the path of a source, or than a plain destination. */
function connectorParts(draft: PipelineDraft): Part[] {
  const isPlain = ({ role, spec, replyWithinMs }: Part) =>
    isHttp(spec) && replyWithinMs === 0 && (role === 'source' ? Object.keys(spec.settings).length === 1 : isPlainHttp(spec.settings));
  return allParts(draft).filter((part) => !isPlain(part));
}

/** What the offers of the tenant's nodes, the connectors' schemas and the tenant's secrets say against a draft's connectors. Asks no node. */
export async function connectorProblems(ctx: TenantContext, draft: PipelineDraft): Promise<DraftProblem[]> {
  const missing = await missingSecretProblems(ctx, draft);
  const parts = connectorParts(draft);
  if (parts.length === 0) return missing;
  const judged = await withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const nodes = await readOffers(tx, Date.now());
    const connectors = mergeOffers(nodes);
    const found: { part: Part; problem: DraftProblem | null; schema: string }[] = [];
    for (const part of parts) {
      const connector = connectors.find((item) => item.name === part.spec.connector);
      const release = connector && releaseFor(connector, part.spec.release);
      const schema = connector && release ? (await getSchemas(tx, { name: connector.name, digest: release.digest }))[part.role] : '';
      found.push({ part, problem: (isHttp(part.spec) ? null : offerProblem(part, connector, nodes)) ?? replyProblem(part, connector), schema });
    }
    return found;
  });
  const problems: DraftProblem[] = [];
  for (const { part, problem, schema } of judged) {
    if (problem) problems.push(problem);
    const errors = schema === '' ? [] : checkBySchema(schema, part.spec.settings);
    for (const error of errors) problems.push(atSettings(part, error));
  }
  return [...problems, ...missing];
}

/** References to secrets that the tenant does not have, in whatever connector's settings. */
async function missingSecretProblems(ctx: TenantContext, draft: PipelineDraft): Promise<DraftProblem[]> {
  const found = await Promise.all(allParts(draft).map(async (part) => (await secretErrors(ctx, part.spec.settings)).map((error) => atSettings(part, error))));
  return found.flat();
}

/** Whether the part's nodes have what it names. Absent nodes may come back, so what only they offered is a warning. */
function offerProblem({ at, role, spec }: Part, connector: MergedConnector | undefined, nodes: NodeOffers[]): DraftProblem | null {
  const problem = (field: string, message: string, warning = false): DraftProblem => ({
    path: `${at}/${field}`,
    partId: spec.id,
    message,
    ...(warning && { warning: true as const }),
  });
  if (!connector) {
    return nodes.some(({ node }) => node.liveness === 'live')
      ? problem(
          'connector',
          `No node of your pool offers the connector “${spec.connector}”. Have it put into the nodes’ directory of connectors, or choose another one.`,
        )
      : problem('connector', `No node of your pool has offered the connector “${spec.connector}”, and none is live now. See the Nodes page, then try again.`);
  }
  if (!connector.roles.includes(role)) return problem('connector', `${connector.title} cannot be a ${role}. Choose another connector.`);
  const release = releaseFor(connector, spec.release);
  if (!release) return problem('release', `No node has this release of ${connector.title}. Choose one that a node has, or always the newest.`);
  const names = release.nodes.map((node) => node.name).join(', ');
  if (release.nodes.every((node) => node.liveness !== 'live'))
    return problem(
      spec.release === undefined ? 'connector' : 'release',
      `${connector.title} ${release.version} was last offered by ${names}, which is not live now. Messages wait until it is back.`,
      true,
    );
  return null;
}

/** Whether senders may be made to wait for a result that nobody could tell them. */
function replyProblem({ spec, replyWithinMs }: Part, connector: MergedConnector | undefined): DraftProblem | null {
  if (replyWithinMs === 0 || !connector || connector.replies) return null;
  const message = `${connector.title} cannot answer its senders with the pipeline’s result. Have it answer once the message is stored, or choose another connector.`;
  return { path: '/reply/from', partId: spec.id, message };
}

/**
 * The connectors' own judgement, by a node. What they refuse is a problem at its field. That no node could be asked stops nothing: the schema was
 * checked here, each node checks again when it takes the revision over, and a pool that is away for a minute must not keep a repair from
 * being published. It is told as a warning.
 */
export async function askedProblems(ctx: TenantContext, draft: PipelineDraft): Promise<DraftProblem[]> {
  const answers = await Promise.all(
    connectorParts(draft).map(async (part): Promise<DraftProblem[]> => {
      const { connector, release, settings } = part.spec;
      const question = {
        connector,
        ...(release !== undefined && { release }),
        role: part.role,
        settings: settings as never,
        replyWithinMs: part.replyWithinMs,
        probe: false,
      };
      const answer = await askConnector(ctx, question, ASK_WAIT_MS);
      if (answer.ok) return answer.errors.map((error) => atSettings(part, error));
      const message = `“${part.spec.name}” could not be checked by its connector. ${answer.reason} Each node checks it when it takes the revision over.`;
      return [{ path: `${part.at}/connector`, partId: part.spec.id, message, warning: true }];
    }),
  );
  return answers.flat();
}

function atSettings({ at, spec }: Part, error: { path: string; message: string }): DraftProblem {
  return { path: `${at}/settings${error.path}`, partId: spec.id, message: error.message };
}

/** Whether publishing may go on in spite of it. */
export function isBlocking(problem: DraftProblem): boolean {
  return problem.warning !== true;
}
