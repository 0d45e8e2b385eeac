import { describe, expect, test } from 'vitest';
import { readConfig } from './config.ts';

describe('configuration', () => {
  test('without any variable it is the development stack', () => {
    const { config, secrets } = readConfig({});
    expect(config).toMatchObject({
      name: 'node-1',
      ingest: { host: '127.0.0.1', port: 4801, publicUrl: 'http://127.0.0.1:4801' },
      ops: { port: 4803 },
      enrol: { consoleUrl: 'http://127.0.0.1:4800' },
      logic: { workers: 1 },
      egressAllow: [],
    });
    expect(config.connectorHttp).toMatch(/connectors\/http\/dist\/http-connector$/);
    expect(secrets.joinToken).toBeUndefined();
  });

  test('every wrong value is named in one go', () => {
    const read = () => readConfig({ VRSKY_OPS_PORT: 'x', VRSKY_INGEST_PORT: '70000', VRSKY_LOGIC_WORKERS: '0' });
    expect(read).toThrow(/VRSKY_OPS_PORT[\s\S]*VRSKY_LOGIC_WORKERS|VRSKY_INGEST_PORT[\s\S]*VRSKY_OPS_PORT/);
    expect(() => readConfig({ VRSKY_CONSOLE_URL: 'nowhere', VRSKY_LOG_LEVEL: 'loud' })).toThrow(/VRSKY_CONSOLE_URL[\s\S]*VRSKY_LOG_LEVEL/);
  });
});
