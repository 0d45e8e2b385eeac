import type { ConnectorDefinition } from '../connector.ts';
import { settingsCheck } from './settings.ts';

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
/** https://semver.org, its own expression. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;

/** Throws with what keeps a definition from being a connector, so that its author hears of it before a node does. */
export function checkDefinition({ manifest, source, destination }: ConnectorDefinition): void {
  const problems: string[] = [];
  if (!NAME.test(manifest.name))
    problems.push(`manifest.name is ${JSON.stringify(manifest.name)}: it has lower-case letters, digits and - and begins with a letter`);
  if (!SEMVER.test(manifest.version)) problems.push(`manifest.version is ${JSON.stringify(manifest.version)}: it is a semantic version like 1.0.0`);
  if (source === undefined && destination === undefined) problems.push('it has neither a source nor a destination');
  for (const [role, part] of Object.entries({ source, destination })) {
    if (part === undefined) continue;
    try {
      settingsCheck(part.settings);
    } catch (error) {
      problems.push(`the settings schema of its ${role} cannot be used: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new Error(`This is not a connector:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
}
