import { CheckFailed, defineConnector, runCheck, serveConnector } from '@vrsky/sdk/connector';

/** A destination with a setting of every kind, for the browser test of the form. It keeps nothing. */
const settings = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  required: ['folder', 'rotation'],
  properties: {
    folder: { type: 'string', title: 'Folder', description: 'Where files go, as the node sees it.', minLength: 1, examples: ['/var/lib/orders'] },
    format: { title: 'Format', enum: ['json', 'lines', 'raw'], default: 'lines' },
    timeoutMs: { type: 'integer', minimum: 100, maximum: 60_000, default: 5_000 },
    append: { type: 'boolean', title: 'Append to files that are there', default: true },
    header: { type: 'string', title: 'First line', 'x-vrsky': 'long-text' },
    token: { type: 'object', title: 'Access token', 'x-vrsky': 'secret' },
    tags: { type: 'array', title: 'Tags', uniqueItems: true, items: { enum: ['orders', 'returns'] } },
    columns: {
      type: 'array',
      title: 'Columns',
      items: { type: 'object', title: 'Column', required: ['name'], properties: { name: { type: 'string', title: 'Column name', minLength: 1 } } },
    },
    labels: { type: 'object', title: 'Labels', additionalProperties: { type: 'string' } },
    anything: { title: 'Anything' },
    rotation: {
      title: 'When to begin a new file',
      oneOf: [
        { title: 'Never', type: 'object', properties: { kind: { const: 'never' } }, required: ['kind'] },
        {
          title: 'By size',
          type: 'object',
          properties: { kind: { const: 'size' }, sizeBytes: { type: 'integer', minimum: 1 } },
          required: ['kind', 'sizeBytes'],
        },
      ],
    },
  },
};

await serveConnector(
  defineConnector({
    manifest: { name: 'archive', version: '1.0.0', title: 'Archive', description: 'Keeps each message as a file in a folder of the node.' },
    validate: ({ settings: given }) =>
      (given as { folder: string }).folder === '/none' ? [{ path: '/folder', message: 'There is no folder /none on this node.' }] : [],
    test: async ({ settings: given }) => [
      await runCheck('Open the folder', () => {
        const { folder } = given as { folder: string };
        if (folder === '/sealed') throw new CheckFailed('The node may not write there.');
        return `${folder} can be written.`;
      }),
    ],
    destination: {
      settings,
      configure: () => undefined,
      send: async () => ({ status: 'ok' }),
    },
  }),
);
