import { serveConnector } from '@vrsky/sdk/connector';
import connector from './connector.ts';

await serveConnector(connector);
