// The table of errors: every row complete and safe to show, and the code of whatever may be thrown.
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { CodedError, codeOf, errorTable, isErrorCode } from './errors.ts';
import type { ErrorCode } from './errors.ts';

const codes = Object.keys(errorTable) as ErrorCode[];

describe.each(codes)('%s', (code) => {
  const row = errorTable[code];

  test('is a code that operators can search for', () => expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/));

  test('has a sentence for the client that names no insides', () => {
    expect(row.message).toMatch(/^[A-Z].*\.$/);
    // The header is what a client has to send.
    expect(row.message.replace('apollo-require-preflight', '')).not.toMatch(
      /postgres|sql|nats|jetstream|mikro|apollo|fastify|node|stack|exception/i,
    );
  });

  test('may be tried again if and only if its message is delivered again, and is then no mere information', () => {
    expect(row.disposition === 'nak').toBe(row.retry);
    expect(row.level === 'info' || row.level === 'debug').toBe(!row.retry && code !== 'MESSAGE_INVALID');
  });

  test('is an error with that code and message', () => {
    const error = new CodedError(code);
    expect(error).toMatchObject({ name: 'CodedError', code, message: row.message, extensions: { code } });
    expect(codeOf(error)).toBe(code);
    expect(isErrorCode(code)).toBe(true);
  });

  test('is in the documentation', () => {
    expect(readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')).toContain(`\`${code}\``);
  });
});

test('no two codes say the same', () => {
  const messages = codes.map((code) => errorTable[code].message);
  expect(new Set(messages).size).toBe(messages.length);
});

test('details go along, and cannot change the code', () => {
  const cause = new Error('inside');
  const error = new CodedError('BAD_USER_INPUT', 'Not so.', { argument: 'first', code: 'OTHER' }, cause);
  expect(error).toMatchObject({ message: 'Not so.', extensions: { argument: 'first', code: 'BAD_USER_INPUT' } });
  expect(error.originalError).toBe(cause);
  expect(JSON.stringify(error)).not.toContain('inside');
});

test.each(['toString', 'constructor', '', undefined, null, 1, {}])('%p is no code', (value) => {
  expect(isErrorCode(value)).toBe(false);
});

describe('codeOf', () => {
  const withCode = (code: string): Error => Object.assign(new Error('failed'), { code });

  test.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'])(
    '%s: cannot be reached',
    (code) => expect(codeOf(withCode(code))).toBe('SERVICE_UNAVAILABLE'),
  );

  const states = [
    '08006',
    '28000',
    '28P01',
    'ER_ACCESS_DENIED_ERROR',
    '40001',
    '40P01',
    '53300',
    '55P03',
    '57014',
    '57P01',
    '57P03',
  ];
  test.each(states)('PostgreSQL’s %s: cannot be done now', (code) =>
    expect(codeOf(withCode(code))).toBe('SERVICE_UNAVAILABLE'),
  );

  test.each(['23505', '42P01', '22P02', '22021'])('PostgreSQL’s %s: our mistake', (code) =>
    expect(codeOf(withCode(code))).toBe('INTERNAL_SERVER_ERROR'),
  );

  test('a cause counts, however deep', () => {
    const cause = new Error('outer', { cause: new Error('middle', { cause: withCode('ECONNREFUSED') }) });
    expect(codeOf(cause)).toBe('SERVICE_UNAVAILABLE');
  });

  test.each([new Error('boom'), new TypeError('x is not a function'), 'text', undefined, null, 5])(
    '%p is unforeseen',
    (thrown) => expect(codeOf(thrown)).toBe('INTERNAL_SERVER_ERROR'),
  );
});
