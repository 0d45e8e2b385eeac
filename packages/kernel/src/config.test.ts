import { expect, test } from 'vitest';
import { ConfigError, createEnvReader } from './config.ts';

test('all problems are told at once, each naming its variable', () => {
  const env = createEnvReader({ PORT: '80x', FLAG: 'yes' });
  env.text('URL');
  env.integer('PORT', { min: 1, max: 65_535 });
  env.flag('FLAG', false);
  expect(() => env.check()).toThrow(ConfigError);
  expect(() => env.check()).toThrow(/URL is missing[\s\S]*PORT must be a whole number from 1 to 65535, not "80x"[\s\S]*FLAG must be true or false/);
});

test('what does not parse is an error, never the default', () => {
  const env = createEnvReader({ PORT: '70000' });
  env.integer('PORT', { min: 1, max: 65_535, fallback: 8080 });
  expect(() => env.check()).toThrow(/PORT/);
});

test('an empty variable counts as not set', () => {
  const env = createEnvReader({ PORT: '', LIST: 'a, b,,c' });
  expect(env.integer('PORT', { min: 1, max: 9, fallback: 7 })).toBe(7);
  expect(env.list('LIST', [])).toEqual(['a', 'b', 'c']);
  env.check();
});
