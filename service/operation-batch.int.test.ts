// Several operations in one request: each stands for itself, and nothing of one viewer reaches another.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { CodedError } from './errors.ts';
import type { Viewer } from './identity.ts';
import { rowLoader, visible } from './loaders.ts';
import type { Loader } from './loaders.ts';
import { maxOperations, operationBatchType } from './operation-batch.ts';
import { startSubgraphServer } from './subgraph-server.ts';
import { createMetrics } from './telemetry.ts';

interface Note {
  readonly id: string;
  readonly owner: string;
}
interface NoteContext {
  readonly viewer: Viewer | undefined;
  readonly notes: Loader<Note>;
}

const sdl = 'type Query { note(id: ID!): Note, whoami: String, broken: String } type Note { id: ID!, owner: String! }';
const loads: (readonly string[])[] = [];
let server: Awaited<ReturnType<typeof startSubgraphServer>>;

beforeAll(async () => {
  server = await startSubgraphServer<NoteContext>({
    sdl,
    resolvers: {
      Query: {
        note: (_: unknown, { id }: { id: string }, { notes }) => notes.load(id),
        whoami: (_: unknown, __: unknown, { viewer }) => viewer?.sub,
        broken: () => {
          throw new Error('secret');
        },
      },
    },
    createContexts: () => {
      const notes = rowLoader((ids) => {
        loads.push(ids);
        return Promise.resolve(ids.map((id): Note => ({ id, owner: id.split('-')[0] ?? '' })));
      }, 'id');
      return (viewer) => ({ viewer, notes: visible(notes, ({ owner }) => owner === viewer?.sub) });
    },
    // Signatures take different times to check.
    async verify(authorization) {
      if (authorization === undefined) return undefined;
      const sub = authorization.replace('Bearer ', '');
      if (sub === 'forged') throw new CodedError('UNAUTHENTICATED');
      for (const _letter of sub) await new Promise(setImmediate);
      return { sub, scopes: new Set(), expiresAt: Date.now() + 60_000, token: sub };
    },
    host: '127.0.0.1',
    port: 0,
    bodyLimitBytes: 100_000,
    drainMs: 0,
    checks: {},
    log: pino({ level: 'silent' }),
    metrics: createMetrics('test'),
  });
});
afterAll(() => server.close());

async function post(body: unknown, type = operationBatchType) {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': type },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, answer: await response.json() };
}
const query = 'query ($id: ID!) { note(id: $id) { id owner } whoami }';
const ask = (sub: string, id: string) => ({ authorization: `Bearer ${sub}`, query, variables: { id } });

describe('a batch', () => {
  test('is announced on every answer', async () => {
    const single = await post({ query: '{ whoami }' }, 'application/json');
    expect(single.headers.get('accept-post')?.split(', ')).toContain(operationBatchType);
    const batch = await post([{ query: '{ whoami }' }]);
    expect(batch.headers.get('accept-post')?.split(', ')).toContain(operationBatchType);
    expect(batch.headers.get('content-type')).toContain(operationBatchType);
  });

  test('answers each operation in its place, from rows that are loaded at once, to its own viewer only', async () => {
    loads.length = 0;
    const { status, answer } = await post([
      ask('alice', 'alice-1'),
      ask('bartholomew', 'alice-1'),
      ask('bartholomew', 'bartholomew-1'),
      { query, variables: { id: 'alice-1' } },
    ]);
    expect(status).toBe(200);
    expect(answer).toEqual([
      { data: { note: { id: 'alice-1', owner: 'alice' }, whoami: 'alice' } },
      { data: { note: null, whoami: 'bartholomew' } },
      { data: { note: { id: 'bartholomew-1', owner: 'bartholomew' }, whoami: 'bartholomew' } },
      { data: { note: null, whoami: null } },
    ]);
    expect(loads).toEqual([['alice-1', 'bartholomew-1']]);
  });

  test('shares nothing with the next', async () => {
    loads.length = 0;
    await post([ask('alice', 'alice-1')]);
    await post([ask('bob', 'alice-1')]);
    expect(loads).toHaveLength(2);
  });

  test('lets one that fails fail alone: its token, its text, its resolver', async () => {
    const { answer } = await post([
      ask('forged', 'alice-1'),
      { query: '{ nothing }' },
      { query: '{ broken }' },
      { query: '{' },
      ask('alice', 'alice-1'),
    ]);
    const code = (code: string) =>
      expect.objectContaining({ errors: [expect.objectContaining({ extensions: { code } })] });
    expect(answer).toEqual([
      code('UNAUTHENTICATED'),
      code('GRAPHQL_VALIDATION_FAILED'),
      code('INTERNAL_SERVER_ERROR'),
      code('GRAPHQL_PARSE_FAILED'),
      { data: { note: { id: 'alice-1', owner: 'alice' }, whoami: 'alice' } },
    ]);
    const single = await post({ query: '{ broken }' }, 'application/json');
    for (const each of [answer, single.answer]) expect(JSON.stringify(each)).not.toContain('secret');
  });

  test.each([
    ['no array', { query: '{ whoami }' }],
    ['an empty one', []],
    ['one without a query', [{ variables: {} }]],
    ['one with a token that is no text', [{ query: '{ whoami }', authorization: 1 }]],
    ['too many', Array.from({ length: maxOperations + 1 }, () => ({ query: '{ whoami }' }))],
  ])('that is %s is refused', async (_, body) => {
    const { status, answer } = await post(body);
    expect(status).toBe(400);
    expect(answer).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });
});
