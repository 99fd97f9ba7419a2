// Reading configuration: every problem at once, and what counts as absent.
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { commonEnv, ConfigurationError, integer, readEnv, subgraphEnv } from './env.ts';

const shape = {
  PORT: integer(1, 65_535).default(4000).describe('port to listen on'),
  DATABASE_URL: z.string().describe('where the database is'),
  MODE: z.enum(['ON', 'OFF'], 'must be ON or OFF').default('ON').describe('a switch'),
};

describe('readEnv', () => {
  test('gives values of the right type, with defaults, and nothing that was not asked for', () => {
    expect(readEnv(shape, { DATABASE_URL: 'postgres://here', PORT: '80', HOME: '/root' })).toEqual({
      PORT: 80,
      DATABASE_URL: 'postgres://here',
      MODE: 'ON',
    });
  });

  test('reports all problems at once, each with the variable, what is wrong and what it means', () => {
    const read = () => readEnv(shape, { PORT: '0', MODE: 'PERHAPS' });
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(
      [
        'The configuration has problems:',
        '  PORT must be at least 1 (port to listen on)',
        '  DATABASE_URL is not set (where the database is)',
        '  MODE must be ON or OFF (a switch)',
      ].join('\n'),
    );
  });

  test('never repeats a value, as it may be a secret', () => {
    const secret = z.string().regex(/^[a-z]+$/, 'must be lower-case letters');
    expect(() => readEnv({ SECRET: secret }, { SECRET: 'hunter2' })).toThrow(/^(?!.*hunter2)/s);
  });

  test('an empty value counts as absent', () => {
    expect(readEnv(shape, { DATABASE_URL: 'postgres://here', PORT: '', MODE: '' })).toMatchObject({
      PORT: 4000,
      MODE: 'ON',
    });
    expect(() => readEnv(shape, { DATABASE_URL: '' })).toThrow('DATABASE_URL is not set');
  });
});

describe('integer', () => {
  const read = (text: string): number => readEnv({ N: integer(-2, 100) }, { N: text }).N;

  test.each(['-2', '0', '007', '100'])('takes %s', (text) => expect(read(text)).toBe(Number(text)));
  test.each(['-3', '101', '1.5', '1e1', '0x10', ' 1', '1 ', 'ten', '9'.repeat(16), '+1'])('refuses "%s"', (text) =>
    expect(() => read(text)).toThrow(ConfigurationError),
  );
});

test('the variables that every process reads have defaults, save the keys and addresses that nobody can guess', () => {
  expect(() => readEnv(subgraphEnv, {})).toThrow(/^The configuration has problems:\n {2}AUTH_JWKS is not set[^\n]*$/);
  expect(readEnv(subgraphEnv, { AUTH_JWKS: 'keys.json' })).toMatchObject({ HOST: '127.0.0.1', LOG_LEVEL: 'info' });
});

test.each(Object.entries({ ...commonEnv, ...subgraphEnv }))('%s says what it means', (_, type) =>
  expect(type.description).toEqual(expect.any(String)),
);
