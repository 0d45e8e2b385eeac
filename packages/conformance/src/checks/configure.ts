import { status } from '@grpc/grpc-js';
import { Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { answered, type Check, Failed, Skipped } from '../session.ts';

export const configureChecks: readonly Check[] = [
  {
    name: 'configure.empty',
    title: 'No connections at all is a set like any other',
    async run(session) {
      const client = await session.client();
      const { errors } = await answered('Configure', client.configure({ generation: session.nextGeneration(), connections: [] }));
      if (errors.length > 0) throw new Failed('Configure of no connections refuses one.');
      return undefined;
    },
  },
  {
    name: 'configure.again',
    title: 'The same set can be applied again',
    async run(session) {
      const connections = await session.connections();
      if (connections.length === 0) throw new Skipped('No good settings are known: give them with --settings.');
      const client = await session.client();
      const generation = session.nextGeneration();
      for (const turn of ['', ' for the second time']) {
        const { errors } = await answered(`Configure${turn}`, client.configure({ generation, connections }));
        if (errors.length > 0)
          throw new Failed(
            `Configure${turn} refuses a connection that should be good: ${errors[0]?.errors.map(({ path, message }) => `${path || '/'}: ${message}`).join('; ')}`,
          );
      }
      return undefined;
    },
  },
  {
    name: 'configure.older',
    title: 'An older set is refused, with both generations',
    async run(session) {
      const client = await session.client();
      session.nextGeneration();
      const newer = session.nextGeneration();
      await answered('Configure', client.configure({ generation: newer, connections: await session.connections() }));
      const older = newer - 1n;
      const error: { code?: number; details?: string } | null = await client.configure({ generation: older, connections: [] }).then(
        () => null,
        (refused) => refused,
      );
      if (error === null) throw new Failed(`Generation ${older} is applied after ${newer}: what a node sent late would undo what a customer has published.`);
      if (error.code !== status.FAILED_PRECONDITION)
        throw new Failed(`Generation ${older} after ${newer} fails with code ${error.code} (${error.details}): it is FAILED_PRECONDITION.`);
      if (!error.details?.includes(String(older)) || !error.details.includes(String(newer)))
        throw new Failed(`The refusal says ${JSON.stringify(error.details)}: name both generations, ${older} and ${newer}.`);
      return undefined;
    },
  },
  {
    name: 'configure.bad',
    title: 'One bad connection does not spoil the good ones',
    async run(session) {
      const good = await session.connections();
      const { roles } = await session.describe();
      const [role = Role.SOURCE] = roles;
      const bad = [
        { connectionId: 'conformance/not-json', role, settings: '{' },
        { connectionId: 'conformance/no-role', role: Role.UNSPECIFIED, settings: '{}' },
      ];
      const client = await session.client();
      const { errors } = await answered(
        'Configure with a bad connection',
        client.configure({ generation: session.nextGeneration(), connections: [...good, ...bad] }),
      );
      const refused = errors.map(({ connectionId }) => connectionId).sort();
      const wanted = bad.map(({ connectionId }) => connectionId).sort();
      const spoiled = refused.find((id) => !wanted.includes(id));
      if (spoiled !== undefined) throw new Failed(`Configure refuses ${spoiled}, which is good, because of others that are not.`);
      const accepted = wanted.find((id) => !refused.includes(id));
      if (accepted !== undefined) throw new Failed(`Configure does not say that ${accepted} cannot be applied.`);
      if (refused.length > wanted.length) throw new Failed('Configure names a connection twice: one row for each.');
      if (errors.some((row) => row.errors.length === 0 || row.errors.some(({ message }) => message === '')))
        throw new Failed('Configure refuses a connection and does not say why.');
      return undefined;
    },
  },
];
