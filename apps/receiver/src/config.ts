import { createEnvReader, type Env } from '@vrsky/kernel/config';

export interface ReceiverConfig {
  config: { host: string; port: number };
  secrets: { key: string };
}

export function readConfig(env: Env): ReceiverConfig {
  const reader = createEnvReader(env);
  const config = { host: reader.text('VRSKY_RECEIVER_HOST', '127.0.0.1'), port: reader.integer('PORT', { min: 0, max: 65_535, fallback: 4802 }) };
  const secrets = { key: reader.text('VRSKY_RECEIVER_KEY') };
  reader.check();
  return { config, secrets };
}
