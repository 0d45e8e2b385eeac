import { serveConnector } from '@vrsky/sdk/connector';
import { readConfig } from './config.ts';
import { createHttpConnector } from './connector.ts';

await serveConnector(createHttpConnector(readConfig(process.env)));
