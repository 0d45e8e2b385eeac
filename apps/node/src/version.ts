import manifest from '../package.json' with { type: 'json' };

/** As the console's Nodes page shows it. */
export const nodeVersion: string = manifest.version;
