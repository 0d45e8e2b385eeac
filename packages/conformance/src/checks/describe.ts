import { Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { readSchema } from '../schema.ts';
import { answered, type Check, Failed, type RoleName, roleNumbers, type Session } from '../session.ts';

/** https://semver.org, its own expression. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;
const NAME = /^[a-z][a-z0-9-]{0,62}$/;

export const describeChecks: readonly Check[] = [
  {
    name: 'describe.identity',
    title: 'Describe names the connector and its version',
    async run(session) {
      const { name, version } = await answered('Describe', session.describe());
      if (!NAME.test(name)) throw new Failed(`Its name is ${JSON.stringify(name)}: a name has lower-case letters, digits and -, and begins with a letter.`);
      if (!SEMVER.test(version)) throw new Failed(`Its version is ${JSON.stringify(version)}: use a semantic version like 1.0.0.`);
      return `${name} ${version}`;
    },
  },
  {
    name: 'describe.words',
    title: 'Describe has a title and a description for people',
    async run(session) {
      const { title, description } = await answered('Describe', session.describe());
      if (title.trim() === '') throw new Failed('It has no title: the console lists connectors by it.');
      if (description.trim() === '') throw new Failed('It has no description: say in a sentence or two what it does.');
      return undefined;
    },
  },
  {
    name: 'describe.roles',
    title: 'Describe names the roles, each with a settings schema',
    async run(session) {
      const described = await answered('Describe', session.describe());
      const { roles } = described;
      if (roles.length === 0) throw new Failed('It has no role: it is a source, a destination or both.');
      if (new Set(roles).size < roles.length) throw new Failed('It names a role twice.');
      const unknown = roles.find((role) => role !== Role.SOURCE && role !== Role.DESTINATION);
      if (unknown !== undefined) throw new Failed(`It names the role ${unknown}, which does not exist.`);
      for (const role of rolesOf(roles))
        if (schemaText(role, described) === '')
          throw new Failed(`It is a ${role} and has no schema of its settings: without settings it is {"type": "object"}.`);
      return rolesOf(roles).join(', ');
    },
  },
  {
    name: 'describe.schemas',
    title: 'The settings schemas are JSON Schema 2020-12 of an object',
    async run(session) {
      await eachSchema(session, (role, read) => {
        if (typeof read === 'string') throw new Failed(`Of the settings schema of its ${role}: ${read}.`);
      });
      return undefined;
    },
  },
  {
    name: 'describe.secrets',
    title: 'What is marked as a secret takes a reference and no value',
    async run(session) {
      let marks = 0;
      await eachSchema(session, (role, read) => {
        if (typeof read === 'string') throw new Failed(`The settings schema of its ${role} cannot be read.`);
        const bad = read.marks.find(({ problem }) => problem !== null);
        if (bad !== undefined) throw new Failed(`In the settings schema of its ${role}, ${bad.pointer || '/'}: ${bad.problem}.`);
        marks += read.marks.length;
      });
      return marks === 0 ? 'none is marked' : `${marks} marked`;
    },
  },
  {
    name: 'describe.stable',
    title: 'Describe says the same each time',
    async run(session) {
      const first = await answered('Describe', session.describe());
      const again = await answered('Describe', (await session.client()).describe());
      const changed = (['name', 'version', 'title', 'description', 'roles', 'sourceSettingsSchema', 'destinationSettingsSchema'] as const).find(
        (field) => JSON.stringify(first[field]) !== JSON.stringify(again[field]),
      );
      if (changed !== undefined) throw new Failed(`Asked again it says something else: ${changed} has changed.`);
      return undefined;
    },
  },
];

export function rolesOf(roles: readonly Role[]): RoleName[] {
  return (['source', 'destination'] as const).filter((role) => roles.includes(roleNumbers[role]));
}

export function schemaText(role: RoleName, described: { sourceSettingsSchema: string; destinationSettingsSchema: string }): string {
  return role === 'source' ? described.sourceSettingsSchema : described.destinationSettingsSchema;
}

async function eachSchema(session: Session, visit: (role: RoleName, read: ReturnType<typeof readSchema>) => void): Promise<void> {
  const described = await answered('Describe', session.describe());
  for (const role of rolesOf(described.roles)) visit(role, readSchema(schemaText(role, described)));
}
