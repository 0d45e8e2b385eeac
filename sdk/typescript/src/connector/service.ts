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
import { type ConfigureRequest, Connector, Role, type Connection as WireConnection } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import type { Connection, ConnectionErrors, ConnectorDefinition, ConnectorLog, ConnectorRole } from '../connector.ts';
import type { SourceSide } from './intake.ts';
import type { DestinationSide } from './outlet.ts';

/** Control calls with the generated code, streams with frames as they are. */
export const connectorService: ServiceDefinition = Object.fromEntries(
  Connector.methods.map((method) => [method.localName, method.methodKind === 'bidi_streaming' ? frameMethod(methodPath(method)) : generatedMethod(method)]),
) as ServiceDefinition;

const DRAIN_DEFAULT_MS = 10_000;
const roleNames: Record<Role, ConnectorRole | null> = { [Role.UNSPECIFIED]: null, [Role.SOURCE]: 'source', [Role.DESTINATION]: 'destination' };
const roleNumbers: Record<ConnectorRole, Role> = { source: Role.SOURCE, destination: Role.DESTINATION };

export function createConnectorService(o: {
  definition: ConnectorDefinition;
  intake: SourceSide;
  outlet: DestinationSide;
  log: ConnectorLog;
}): UntypedServiceImplementation {
  const { definition, intake, outlet, log } = o;
  let applied = 0n;
  let applying: Promise<unknown> = Promise.resolve();

  const configure = async (request: ConfigureRequest): Promise<MessageInitShape<typeof Connector.method.configure.output>> => {
    if (request.generation < applied)
      throw new Refusal(status.FAILED_PRECONDITION, `generation ${request.generation} is older than ${applied}, which is applied`);
    const errors: ConnectionErrors[] = [];
    const usable: Connection[] = [];
    for (const wire of request.connections) {
      const connection = parseConnection(wire, definition.roles);
      if ('errors' in connection) errors.push(connection);
      else usable.push(connection);
    }
    errors.push(...(await definition.configure(usable)));
    applied = request.generation;
    return { errors };
  };

  return {
    describe: unary(Connector.method.describe, log, () => ({
      name: definition.name,
      version: definition.version,
      roles: definition.roles.map((role) => roleNumbers[role]),
      sourceSettingsSchema: schemaText(definition.settingsSchemas.source),
      destinationSettingsSchema: schemaText(definition.settingsSchemas.destination),
    })),
    validate: unary(Connector.method.validate, log, async ({ connection: wire }) => {
      if (wire === undefined) throw new Refusal(status.INVALID_ARGUMENT, 'no connection');
      const connection = parseConnection(wire, definition.roles);
      return { errors: 'errors' in connection ? connection.errors : await definition.validate(connection) };
    }),
    // One after the other: two sets applied at the same time would leave a mixture.
    configure: unary(Connector.method.configure, log, (request) => {
      const turn = applying.then(() => configure(request));
      applying = turn.catch(() => undefined); // its caller is told; the next one starts anew
      return turn;
    }),
    receive: (call: ServerDuplexStream<Buffer, Uint8Array>) => intake.attach(call),
    send: (call: ServerDuplexStream<Buffer, Uint8Array>) => outlet.attach(call),
    drain: unary(Connector.method.drain, log, async (_, deadlineMs) => {
      const deadline = AbortSignal.timeout(Math.min(deadlineMs, 2 ** 31 - 1));
      const late = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve(), { once: true }));
      await Promise.race([Promise.all([definition.drain?.(deadline), outlet.idle()]), late]);
      return {};
    }),
  };
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
      log('error', `${method.name} failed by a fault of the connector: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      answer({ code: status.INTERNAL, details: `${method.name} failed in the connector; its log says why` });
    }
  };
}

function remainingMs(deadline: Date | number): number {
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(at) ? Math.max(0, at - Date.now()) : DRAIN_DEFAULT_MS;
}

function parseConnection(wire: WireConnection, roles: readonly ConnectorRole[]): Connection | ConnectionErrors {
  const { connectionId } = wire;
  const role = roleNames[wire.role] ?? null;
  if (role === null || !roles.includes(role))
    return { connectionId, errors: [{ path: '', message: `This connector cannot be used as a ${role ?? 'part of an unknown kind'}.` }] };
  try {
    return { connectionId, role, settings: JSON.parse(wire.settings) };
  } catch {
    return { connectionId, errors: [{ path: '', message: 'The settings are not JSON.' }] };
  }
}

function schemaText(schema: object | undefined): string {
  return schema === undefined ? '' : JSON.stringify(schema);
}
