import { status } from '@grpc/grpc-js';
import type { FieldError, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { readSchema, wrongValues } from '../schema.ts';
import { answered, type Check, Failed, type RoleName, roleNumbers, type Session, Skipped, type WireConnection } from '../session.ts';
import { rolesOf, schemaText } from './describe.ts';

export const validateChecks: readonly Check[] = [
  {
    name: 'validate.good',
    title: 'Good settings have no errors',
    async run(session) {
      const connections = await needConnections(session);
      for (const connection of connections) {
        const { errors } = await answered('Validate', (await session.client()).validate({ connection }));
        if (errors.length > 0) throw new Failed(`Settings that should be good are refused: ${say(errors)}`);
      }
      return undefined;
    },
  },
  {
    name: 'validate.wrong',
    title: 'Wrong settings have errors that point at the field',
    async run(session) {
      const described = await answered('Describe', session.describe());
      let tried = 0;
      for (const role of rolesOf(described.roles)) {
        const schema = readSchema(schemaText(role, described));
        const good = await goodSettings(session, role);
        if (typeof schema === 'string' || good === null) continue;
        for (const property of Object.keys(schema.root.properties ?? {})) {
          for (const wrong of wrongValues(schema, good, property)) {
            tried++;
            await expectErrorAt(session, role, { ...good, [property]: wrong }, property);
          }
        }
      }
      if (tried === 0) throw new Skipped('Its schemas say nothing that could be wrong, or no good settings are known: give them with --settings.');
      return `${tried} tried`;
    },
  },
  {
    name: 'validate.text',
    title: 'Settings that are not JSON, or no object, are refused',
    async run(session) {
      const described = await answered('Describe', session.describe());
      for (const role of rolesOf(described.roles))
        for (const settings of ['', '{', 'null', '[]', '"text"', '17'])
          await expectRefusal(session, { ...(await bare(session, role)), settings }, `settings that are ${JSON.stringify(settings)}`);
      return undefined;
    },
  },
  {
    name: 'validate.role',
    title: 'A role that it does not have is refused',
    async run(session) {
      const { roles } = await answered('Describe', session.describe());
      for (const role of [0, 1, 2, 99] as Role[])
        if (!roles.includes(role)) await expectRefusal(session, { connectionId: 'conformance/role', role, settings: '{}' }, `the role ${role}`);
      await expectRefusal(session, undefined, 'no connection at all');
      return undefined;
    },
  },
  {
    name: 'validate.hostile',
    title: 'Settings made to break it break nothing',
    async run(session) {
      const described = await answered('Describe', session.describe());
      const client = await session.client();
      for (const role of rolesOf(described.roles)) {
        const names = Object.keys((JSON.parse(schemaText(role, described) || '{}') as { properties?: object }).properties ?? {});
        // Whatever it answers: it answers, and goes on.
        for (const value of hostileValues())
          await client
            .validate({
              connection: {
                connectionId: 'conformance/hostile',
                role: roleNumbers[role],
                settings: `{${names.map((name) => `${JSON.stringify(name)}:${value}`).join()}}`,
              },
            })
            .catch((error: { code: number }) => {
              if (error.code === status.DEADLINE_EXCEEDED) throw new Failed('Validate is not answered in time for settings that are odd.');
            });
      }
      await answered('The health check after them', (await session.plugin()).ping(session.limits.callMs));
      return undefined;
    },
  },
  {
    name: 'validate.probe',
    title: 'Test connection is answered in time, each check with its words',
    async run(session) {
      const connections = await needConnections(session);
      const client = await session.client();
      let tried = 0;
      for (const connection of connections) {
        const { errors, checks } = await answered('Validate with probe', client.validate({ connection, probe: true }));
        if (errors.length > 0) throw new Failed(`With probe, settings that should be good are refused: ${say(errors)}`);
        const wordless = checks.find(({ name, detail }) => name.trim() === '' || detail.trim() === '');
        if (wordless !== undefined)
          throw new Failed(`A check has no ${wordless.name.trim() === '' ? 'name' : `detail (${wordless.name})`}: the customer reads both.`);
        tried += checks.length;
      }
      return tried === 0 ? 'it tries nothing' : `${tried} tried`;
    },
  },
];

async function needConnections(session: Session) {
  const connections = await session.connections();
  if (connections.length === 0)
    throw new Skipped('No good settings are known: give them with --settings, or put some into "examples" of the settings schemas.');
  return connections;
}

async function goodSettings(session: Session, role: RoleName): Promise<Record<string, unknown> | null> {
  try {
    return JSON.parse((await session.connection(role)).settings);
  } catch (error) {
    if (error instanceof Skipped) return null;
    throw error;
  }
}

async function bare(session: Session, role: RoleName) {
  await session.needRole(role);
  return { connectionId: 'conformance/bare', role: roleNumbers[role] };
}

async function expectErrorAt(session: Session, role: RoleName, settings: Record<string, unknown>, property: string): Promise<void> {
  const connection = await session.connection(role, { settings: JSON.stringify(settings) });
  const { errors } = await answered('Validate', (await session.client()).validate({ connection }));
  const shown = `${role} settings with ${property}: ${JSON.stringify(settings[property])}, which its schema refuses`;
  if (errors.length === 0) throw new Failed(`Validate accepts ${shown}.`);
  const unsaid = errors.find(({ message }) => message.trim() === '');
  if (unsaid !== undefined) throw new Failed(`Validate says of ${shown}, an error at ${unsaid.path || '/'} without a message.`);
  const stray = errors.find(({ path }) => !/^(\/([^~/]|~[01])*)*$/.test(path));
  if (stray !== undefined) throw new Failed(`Validate names the path ${JSON.stringify(stray.path)}, which is no JSON Pointer (RFC 6901): write /${property}.`);
  const pointer = `/${property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (!errors.some(({ path }) => path === pointer || path.startsWith(`${pointer}/`)))
    throw new Failed(`Validate of ${shown}, has no error at ${pointer}: ${say(errors)} The console shows an error beside its field.`);
}

async function expectRefusal(session: Session, connection: WireConnection | undefined, what: string): Promise<void> {
  try {
    const { errors } = await (await session.client()).validate({ connection });
    if (errors.length > 0) return;
  } catch (error) {
    const { code, details } = error as { code?: number; details?: string };
    if (code === status.INVALID_ARGUMENT || code === status.INTERNAL) return; // a refusal all the same
    throw new Failed(`Validate of ${what} fails: ${details ?? String(error)}.`);
  }
  throw new Failed(`Validate accepts ${what}.`);
}

function hostileValues(): string[] {
  const depth = 2_000;
  return [
    'null',
    '1e999',
    '-0.0000000001',
    '9007199254740993',
    `"${'x'.repeat(1_000_000)}"`,
    '"\\u0000\\ud800"',
    '"; rm -rf / #"',
    '"../../../../etc/passwd"',
    '{"__proto__":{"polluted":true}}',
    '{"$secret":""}',
    `${'['.repeat(depth)}${']'.repeat(depth)}`,
  ];
}

function say(errors: readonly FieldError[]): string {
  return errors.map(({ path, message }) => `${path || '/'}: ${message}`).join('; ');
}
