// Who may import whom; each rule's name is the sentence. tools/boundaries.test.ts plants a violation of every one.

/** What each package sees of the others. A package that is missing here may see none. */
const packagesSee = {
  kernel: [],
  proto: [],
  metering: [],
  contracts: ['kernel'],
  db: ['kernel', 'contracts'],
  bus: ['kernel', 'contracts'],
  plugin: ['kernel', 'proto'],
  conformance: ['kernel', 'plugin', 'proto'],
  logic: ['kernel', 'contracts', 'metering'],
  testkit: ['kernel', 'contracts', 'db', 'bus'],
};

/** Tests and what helps them may use real services, wherever they are. */
const tests = '(\\.test\\.tsx?$|\\.test-support\\.ts$|^(apps|packages)/[^/]+/test/|^(e2e|bench|tools)/)';

const packageRules = Object.entries(packagesSee).map(([name, seen]) => ({
  name: `package-${name}-sees-${seen.length === 0 ? 'no-other' : seen.join('-')}`,
  severity: 'error',
  from: { path: `^packages/${name}/`, pathNot: tests },
  to: { path: '^(packages|sdk|connectors)/', pathNot: `^packages/(${[name, ...seen].join('|')})/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...packageRules,
    {
      name: 'every-package-is-in-the-table',
      severity: 'error',
      from: { path: '^packages/', pathNot: `^packages/(${Object.keys(packagesSee).join('|')})/` },
      to: {},
    },
    { name: 'apps-do-not-import-apps', severity: 'error', from: { path: '^apps/([^/]+)/' }, to: { path: '^apps/', pathNot: '^apps/$1/' } },
    { name: 'packages-do-not-import-apps', severity: 'error', from: { path: '^(packages|sdk|connectors)/' }, to: { path: '^(apps|tools|e2e|bench)/' } },
    {
      name: 'sdk-sees-only-plugin-proto-and-kernel',
      severity: 'error',
      from: { path: '^sdk/', pathNot: tests },
      to: { path: '^(packages|connectors)/', pathNot: '^packages/(kernel|plugin|proto)/' },
    },
    {
      name: 'connectors-see-only-the-sdk',
      severity: 'error',
      from: { path: '^connectors/([^/]+)/', pathNot: tests },
      to: { path: '^(packages|connectors)/', pathNot: '^connectors/$1/' },
    },
    {
      name: 'testkit-is-for-tests',
      severity: 'error',
      from: { path: '^(apps|packages|sdk|connectors)/', pathNot: [tests, '^packages/testkit/'] },
      to: { path: '^packages/testkit/' },
    },
    { name: 'nobody-imports-tests', severity: 'error', from: { pathNot: '\\.test\\.tsx?$' }, to: { path: '\\.test\\.tsx?$' } },
    { name: 'no-runtime-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^(server-only|client-only)$' } },

    {
      name: 'node-core-is-pure',
      severity: 'error',
      from: { path: '^apps/node/src/core/', pathNot: tests },
      to: { path: '^apps/node/', pathNot: '^apps/node/src/core/' },
    },
    {
      name: 'node-core-does-no-io',
      severity: 'error',
      from: { path: '^apps/node/src/core/', pathNot: tests },
      to: {
        path: '^(node:)?(fs|net|http|https|http2|tls|dns|dgram|child_process|worker_threads|cluster)(/|$)',
        dependencyTypes: ['core'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'node-parts-do-not-meet',
      comment: 'Only app.ts sees all parts; a part may know the shape of another (types), not its code.',
      severity: 'error',
      from: { path: '^apps/node/src/([^/]+)/', pathNot: [tests, '^apps/node/src/core/'] },
      to: { path: '^apps/node/src/[^/]+/', pathNot: '^apps/node/src/($1|core)/', dependencyTypesNot: ['type-only'] },
    },

    {
      name: 'console-features-are-closed',
      severity: 'error',
      from: { path: '^apps/console/src/features/([^/]+)/', pathNot: tests },
      to: {
        path: '^apps/console/src/features/',
        pathNot: ['^apps/console/src/features/$1/', '^apps/console/src/features/[^/]+/((types|api)\\.tsx?$|server/)'],
      },
    },
    {
      name: 'console-ui-does-not-reach-the-server',
      comment: 'Server components under app/ call services; everything that can be sent to a browser takes types only.',
      severity: 'error',
      from: { path: '^apps/console/src/(features/[^/]+/(ui|api)|ui|trpc/client|lib)', pathNot: tests },
      to: { path: '(^apps/console/src/.*(server|worker)/|^packages/(db|bus|logic)/)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'console-ui-kit-knows-no-feature',
      severity: 'error',
      from: { path: '^apps/console/src/ui/', pathNot: tests },
      to: { path: '^apps/console/src/features/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'console-routes-do-not-open-the-database',
      severity: 'error',
      from: { path: '^apps/console/src/app/', pathNot: tests },
      to: { path: '^packages/(db|bus)/', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^sdk/typescript/assembly/|(^|/)(\\.next|dist|gen|generated|test-results|playwright-report)/|next-env\\.d\\.ts$)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'], extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'] },
  },
};
