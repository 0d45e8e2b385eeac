import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, test } from 'vitest';
import config from '../.dependency-cruiser.mjs';
import { root } from './run.ts';

/** For each rule a file that breaks it and nothing else: path, and what it imports. */
const planted: Record<string, [file: string, imported: string]> = {
  'package-kernel-sees-no-other': ['packages/kernel/src/bad.ts', '../../contracts/src/fine.ts'],
  'package-proto-sees-no-other': ['packages/proto/src/bad.ts', '../../kernel/src/fine.ts'],
  'package-metering-sees-no-other': ['packages/metering/src/bad.ts', '../../kernel/src/fine.ts'],
  'package-contracts-sees-kernel': ['packages/contracts/src/bad.ts', '../../db/src/fine.ts'],
  'package-db-sees-kernel-contracts': ['packages/db/src/bad.ts', '../../bus/src/fine.ts'],
  'package-bus-sees-kernel-contracts': ['packages/bus/src/bad.ts', '../../db/src/fine.ts'],
  'package-plugin-sees-kernel-proto': ['packages/plugin/src/bad.ts', '../../contracts/src/fine.ts'],
  'package-conformance-sees-kernel-plugin-proto': ['packages/conformance/src/bad.ts', '../../contracts/src/fine.ts'],
  'package-logic-sees-kernel-contracts-metering': ['packages/logic/src/bad.ts', '../../bus/src/fine.ts'],
  'package-testkit-sees-kernel-contracts-db-bus': ['packages/testkit/src/bad.ts', '../../logic/src/fine.ts'],
  'every-package-is-in-the-table': ['packages/unknown/src/bad.ts', '../../kernel/src/fine.ts'],
  'apps-do-not-import-apps': ['apps/node/src/bad.ts', '../../receiver/src/fine.ts'],
  'packages-do-not-import-apps': ['packages/bus/src/bad-app.ts', '../../../apps/receiver/src/fine.ts'],
  'sdk-sees-only-plugin-proto-and-kernel': ['sdk/typescript/src/bad.ts', '../../../packages/contracts/src/fine.ts'],
  'connectors-see-only-the-sdk': ['connectors/http/src/bad.ts', '../../../packages/kernel/src/fine.ts'],
  'testkit-is-for-tests': ['apps/receiver/src/bad.ts', '../../../packages/testkit/src/fine.ts'],
  'nobody-imports-tests': ['apps/receiver/src/bad-test.ts', './fine.test.ts'],
  'no-runtime-cycles': ['apps/receiver/src/bad-cycle.ts', './bad-cycle-back.ts'],
  resolvable: ['apps/receiver/src/bad-nowhere.ts', './nowhere.ts'],
  'node-core-is-pure': ['apps/node/src/core/bad.ts', '../ingest/fine.ts'],
  'node-core-does-no-io': ['apps/node/src/core/bad-io.ts', 'node:fs'],
  'node-parts-do-not-meet': ['apps/node/src/ingest/bad.ts', '../delivery/fine.ts'],
  'console-features-are-closed': ['apps/console/src/features/nodes/ui/bad.tsx', '../../messages/ui/fine.tsx'],
  'console-ui-does-not-reach-the-server': ['apps/console/src/features/nodes/ui/bad-server.tsx', '../server/fine.ts'],
  'console-ui-kit-knows-no-feature': ['apps/console/src/ui/bad.tsx', '../features/messages/ui/fine.tsx'],
  'console-routes-do-not-open-the-database': ['apps/console/src/app/bad.ts', '../../../../packages/db/src/fine.ts'],
};

/** What is allowed and looks almost like a violation. */
const allowed: [file: string, text: string][] = [
  ['apps/node/src/ingest/fine-type.ts', `import type { fine } from '../delivery/fine.ts';\nexport type Fine = typeof fine;`],
  ['apps/console/src/features/nodes/ui/fine-type.tsx', `import type { fine } from '../server/fine.ts';\nexport type Fine = typeof fine;`],
  ['apps/console/src/features/nodes/server/fine-service.ts', `import '../../messages/server/fine.ts';`],
  ['apps/console/src/features/nodes/ui/fine-shape.tsx', `import '../../messages/types.ts';`],
  ['apps/node/src/app.ts', `import './ingest/fine.ts';\nimport './delivery/fine.ts';\nimport '../../../packages/kernel/src/fine.ts';`],
  ['packages/bus/src/fine.int.test.ts', `import '../../testkit/src/fine.ts';`],
];

interface Violation {
  rule: { name: string };
  from: string;
}

test('every rule fires on its planted violation, and on nothing else', () => {
  expect(Object.keys(planted).sort()).toEqual(config.forbidden.map((rule) => rule.name).sort());
  const tree = plantedTree();
  const result = spawnSync(
    path.join(root, 'node_modules/.bin/depcruise'),
    ['--config', path.join(root, '.dependency-cruiser.mjs'), '--output-type', 'json', 'apps', 'packages', 'sdk', 'connectors'],
    { cwd: tree, encoding: 'utf8' },
  );
  const { violations } = (JSON.parse(result.stdout) as { summary: { violations: Violation[] } }).summary;
  // A cycle is reported once, at either of its ends.
  const fired = violations.map((violation) => `${violation.rule.name}: ${violation.from.replace(CYCLE_BACK, 'apps/receiver/src/bad-cycle.ts')}`);
  expect(fired.sort()).toEqual(
    Object.entries(planted)
      .map(([rule, [file]]) => `${rule}: ${file}`)
      .sort(),
  );
});

test('imports by package name are followed into the source, so that no rule is blind to them', () => {
  const output = execFileSync(
    path.join(root, 'node_modules/.bin/depcruise'),
    ['--config', '.dependency-cruiser.mjs', '--output-type', 'json', 'packages/contracts'],
    { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  const { modules } = JSON.parse(output) as { modules: { source: string; dependencies: { module: string; resolved: string }[] }[] };
  const byName = modules.flatMap((module) => module.dependencies).filter((dependency) => dependency.module.startsWith('@vrsky/kernel/'));
  expect(byName.length).toBeGreaterThan(0);
  expect(byName.filter((dependency) => !dependency.resolved.startsWith('packages/kernel/src/'))).toEqual([]);
});

const CYCLE_BACK = 'apps/receiver/src/bad-cycle-back.ts';

function plantedTree(): string {
  const tree = scratchDir('boundaries');
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(tree, file)), { recursive: true });
    writeFileSync(path.join(tree, file), text);
  };
  write('tsconfig.json', '{ "compilerOptions": { "module": "nodenext", "allowImportingTsExtensions": true, "noEmit": true, "jsx": "preserve" } }');
  for (const [file, imported] of Object.values(planted)) {
    write(file, `import '${imported}';`);
    if (imported.includes('fine')) write(path.join(path.dirname(file), imported), 'export const fine = 1;');
  }
  write(CYCLE_BACK, `import './bad-cycle.ts';`);
  write('apps/console/src/features/messages/server/fine.ts', 'export const fine = 1;');
  write('apps/console/src/features/messages/types.ts', 'export const fine = 1;');
  for (const [file, text] of allowed) write(file, text);
  return tree;
}
