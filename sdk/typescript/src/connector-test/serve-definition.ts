import type { ConnectorDefinition } from '../connector.ts';
import { serveConnector } from '../connector.ts';

// The process of a definition under test: `<module's URL> <export's name>`.
const [module = '', name = ''] = process.argv.slice(2);
const definition: ConnectorDefinition | undefined = (await import(module))[name];
if (definition === undefined) throw new Error(`${module} has no export ${name}: export the definition under that name`);
await serveConnector(definition);
