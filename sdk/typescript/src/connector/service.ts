import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import {
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { frameMethod, generatedMethod, methodPath, type UnaryMethod } from '@vrsky/plugin/rpc';
import {
  type ConfigureRequest,
  Connector,
  Role,
  type ValidateRequest,
  type Connection as WireConnection,
} from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import type {
  AnyConnection,
  Connection,
  ConnectionErrors,
  ConnectorDefinition,
  ConnectorLog,
  ConnectorRole,
  FieldError,
  Secret,
  SecretRef,
  SettingsSchema,
} from '../connector.ts';
import type { SourceSide } from './intake.ts';
import type { DestinationSide } from './outlet.ts';
import { listSecretRefs, readSecrets } from './secret.ts';
import { settingsCheck } from './settings.ts';

/** Control calls with the generated code, streams with frames as they are. */
export const connectorService: ServiceDefinition = Object.fromEntries(
  Connector.methods.map((method) => [method.localName, method.methodKind === 'bidi_streaming' ? frameMethod(methodPath(method)) : generatedMethod(method)]),
) as ServiceDefinition;

const DRAIN_DEFAULT_MS = 10_000;
const roleNames: Record<Role, ConnectorRole | null> = { [Role.UNSPECIFIED]: null, [Role.SOURCE]: 'source', [Role.DESTINATION]: 'destination' };
const roleNumbers: Record<ConnectorRole, Role> = { source: Role.SOURCE, destination: Role.DESTINATION };

type Rows = ConnectionErrors[];
type Read = AnyConnection | { errors: FieldError[] };

export function createConnectorService(o: {
  definition: ConnectorDefinition;
  intake: SourceSide;
  outlet: DestinationSide;
  log: ConnectorLog;
}): UntypedServiceImplementation {
  const { definition, intake, outlet, log } = o;
  const { source, destination } = definition;
  const roles = (['source', 'destination'] as const).filter((role) => definition[role] !== undefined);
  let applied = 0n;
  let applying: Promise<unknown> = Promise.resolve();

  /** What is the same for every connector, then the schema, then the author's own word. */
  const read = async (wire: WireConnection, needsSecrets: boolean): Promise<Read> => {
    const connection = parseConnection(wire, definition, needsSecrets);
    if ('errors' in connection) return connection;
    const errors = (await definition.validate?.(connection)) ?? [];
    return errors.length > 0 ? { errors } : connection;
  };
  /** The same, where one connection that the author's code cannot cope with must not keep the others from being applied. */
  const readAlone = async (wire: WireConnection): Promise<Read> => {
    try {
      return await read(wire, true);
    } catch (error) {
      log('error', `a connection could not be checked, by a fault of the connector: ${storyOf(error)}`, { connection: wire.connectionId });
      return { errors: [{ path: '', message: 'The connector failed while it checked these settings; the log of the node says why.' }] };
    }
  };

  const configure = async (request: ConfigureRequest): Promise<MessageInitShape<typeof Connector.method.configure.output>> => {
    if (request.generation < applied)
      throw new Refusal(status.FAILED_PRECONDITION, `generation ${request.generation} is older than ${applied}, which is applied`);
    const errors: Rows = [];
    const usable = { source: [] as Connection<never, 'source'>[], destination: [] as Connection<never, 'destination'>[] };
    for (const wire of request.connections) {
      const connection = await readAlone(wire);
      if ('errors' in connection) errors.push({ connectionId: wire.connectionId, errors: connection.errors });
      else (usable[connection.role] as Connection[]).push(connection);
    }
    outlet.setAnswerBytesMax(new Map(usable.destination.map(({ connectionId, answerBytesMax }) => [connectionId, answerBytesMax])));
    errors.push(...((await source?.configure(usable.source)) ?? []));
    errors.push(...((await destination?.configure(usable.destination)) ?? []));
    applied = request.generation;
    return { errors };
  };

  const validate = async (
    { connection: wire, probe }: ValidateRequest,
    deadlineMs: number,
  ): Promise<MessageInitShape<typeof Connector.method.validate.output>> => {
    if (wire === undefined) throw new Refusal(status.INVALID_ARGUMENT, 'no connection');
    const connection = await read(wire, probe);
    if ('errors' in connection) return { errors: connection.errors };
    if (!probe || definition.test === undefined) return {};
    const checks = await definition.test(connection, AbortSignal.timeout(timerMs(deadlineMs)));
    return { checks: checks.map((check) => ({ ...check, durationUs: Math.min(Math.round(check.durationUs ?? 0), UINT32_MAX) })) };
  };

  return {
    describe: unary(Connector.method.describe, log, () => {
      const { name, version, title, description } = { ...definition.manifest, ...definition.describe?.() };
      return {
        name,
        version,
        title,
        description,
        roles: roles.map((role) => roleNumbers[role]),
        replies: source?.replies ?? false,
        sourceSettingsSchema: schemaText(source?.settings),
        destinationSettingsSchema: schemaText(destination?.settings),
      };
    }),
    validate: unary(Connector.method.validate, log, validate),
    // One after the other: two sets applied at the same time would leave a mixture.
    configure: unary(Connector.method.configure, log, (request) => {
      const turn = applying.then(() => configure(request));
      applying = turn.catch(() => undefined); // its caller is told; the next one starts anew
      return turn;
    }),
    receive: (call: ServerDuplexStream<Buffer, Uint8Array>) =>
      source === undefined ? refuseStream(call, 'this connector is not a source') : intake.attach(call),
    send: (call: ServerDuplexStream<Buffer, Uint8Array>) =>
      destination === undefined ? refuseStream(call, 'this connector is not a destination') : outlet.attach(call),
    drain: unary(Connector.method.drain, log, async (_, deadlineMs) => {
      const deadline = AbortSignal.timeout(timerMs(deadlineMs));
      const late = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve(), { once: true }));
      await Promise.race([Promise.all([source?.drain?.(deadline), destination?.drain?.(deadline), outlet.idle()]), late]);
      return {};
    }),
  };
}

const UINT32_MAX = 2 ** 32 - 1;

/** What a timer of Node takes. */
function timerMs(ms: number): number {
  return Math.min(ms, 2 ** 31 - 1);
}

function refuseStream(call: ServerDuplexStream<Buffer, Uint8Array>, details: string): void {
  call.emit('error', { code: status.UNIMPLEMENTED, details });
}

function storyOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** An answer that the node understands as its own mistake. */
class Refusal extends Error {
  readonly code: status;
  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

type Handler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  deadlineMs: number,
) => MessageInitShape<O> | Promise<MessageInitShape<O>>;

function unary<I extends DescMessage, O extends DescMessage>(method: UnaryMethod<I, O>, log: ConnectorLog, handle: Handler<I, O>) {
  return async (call: ServerUnaryCall<MessageShape<I>, MessageShape<O>>, answer: sendUnaryData<MessageShape<O>>): Promise<void> => {
    try {
      answer(null, create(method.output, await handle(call.request, remainingMs(call.getDeadline()))));
    } catch (error) {
      if (error instanceof Refusal) {
        answer({ code: error.code, details: error.message });
        return;
      }
      log('error', `${method.name} failed by a fault of the connector: ${storyOf(error)}`);
      answer({ code: status.INTERNAL, details: `${method.name} failed in the connector; its log says why` });
    }
  };
}

function remainingMs(deadline: Date | number): number {
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(at) ? Math.max(0, at - Date.now()) : DRAIN_DEFAULT_MS;
}

function parseConnection(wire: WireConnection, definition: ConnectorDefinition, needsSecrets: boolean): Read {
  const { connectionId, customerId } = wire;
  const role = roleNames[wire.role] ?? null;
  const part = role === null ? undefined : definition[role];
  if (role === null || part === undefined)
    return { errors: [{ path: '', message: `This connector cannot be used as a ${role ?? 'part of an unknown kind'}.` }] };
  if (wire.replyWithinMs > 0 && !(role === 'source' && definition.source?.replies))
    return { errors: [{ path: '', message: 'This connector cannot answer its senders with the pipeline’s result.' }] };
  let given: unknown;
  try {
    given = JSON.parse(wire.settings);
  } catch {
    return { errors: [{ path: '', message: 'The settings are not JSON.' }] };
  }
  const checked = settingsCheck(part.settings).check(given);
  if ('errors' in checked) return checked;
  const secrets = readSecrets(wire.secrets);
  const missing = needsSecrets ? listSecretRefs(checked.value).filter(({ name }) => !secrets.has(name)) : [];
  if (missing.length > 0) return { errors: missing.map(({ path, name }) => ({ path, message: `There is no secret with the name ${name}.` })) };
  return {
    connectionId,
    customerId,
    role,
    settings: checked.value,
    answerBytesMax: role === 'destination' ? wire.answerBytesMax : 0,
    answerOptional: role === 'destination' && wire.answerOptional,
    replyWithinMs: wire.replyWithinMs,
    secret({ $secret: name }: SecretRef): Secret {
      const found = secrets.get(name);
      if (found === undefined) throw new Error(`the connection was not given the secret ${name}`);
      return found;
    },
  } as AnyConnection;
}

function schemaText(schema: SettingsSchema | undefined): string {
  return schema === undefined ? '' : JSON.stringify(settingsCheck(schema).jsonSchema);
}
