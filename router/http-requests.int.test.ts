// Ways to send operations over HTTP besides one by one in full: by hash, from a list, in a list; and how answers are compressed.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { brotliDecompressSync } from 'node:zlib';
import { stopClock } from './test-clock.ts';
import { startTestRouter } from './test-router.ts';
import type { TestRouter } from './test-router.ts';

let router: TestRouter;
let listed: TestRouter;
beforeAll(async () => {
  router = await startTestRouter({ BATCH_LIMIT: '3' });
  listed = await startTestRouter({}, new Map([['echo-v1', 'query ($n: Int!) { echo(number: $n) }']]));
});
afterAll(() => Promise.all([router.close(), listed.close()]));

async function post(to: TestRouter, body: unknown): Promise<{ status: number; answer: unknown }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(to.url, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, answer: await response.json() };
}

const byHash = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } });
const failure = (code: string): object => ({ errors: [{ extensions: { code } }] });

test('that offers another protocol, as curl --http2 does, is answered as it is', async () => {
  const { hostname, port } = new URL(router.url);
  const body = '{"query":"{ echo(number: 7) }"}';
  const socket = connect(Number(port), hostname);
  const head = [
    'POST /graphql HTTP/1.1',
    `host: ${hostname}`,
    'connection: Upgrade, HTTP2-Settings, close',
    'upgrade: h2c',
    'http2-settings: AAMAAABkAAQCAAAAAAIAAAAA',
    'content-type: application/json',
    `content-length: ${String(body.length)}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  let answer = '';
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
  await once(socket, 'close');
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain('{"data":{"echo":7}}');
});

describe('a persisted operation', () => {
  const query = '{ echo(number: 7) }';
  const hash = createHash('sha256').update(query).digest('hex');

  test('is sent whole once, and by its hash from then on, also in a GET', async () => {
    const unknown = await post(router, byHash(hash));
    expect(unknown).toMatchObject({ status: 200, answer: failure('PERSISTED_QUERY_NOT_FOUND') });
    expect(unknown.answer).toMatchObject({ errors: [{ message: 'PersistedQueryNotFound' }] });
    const known = { status: 200, answer: { data: { echo: 7 } } };
    expect(await post(router, { query, ...byHash(hash) })).toEqual(known);
    expect(await post(router, byHash(hash))).toEqual(known);
    const search = new URLSearchParams({ extensions: JSON.stringify(byHash(hash).extensions) });
    expect(await (await fetch(`${router.url}?${search.toString()}`)).json()).toEqual(known.answer);
  });

  test('of a list is run, others are not, until another list takes over', async () => {
    expect((await post(listed, { ...byHash('echo-v1'), variables: { n: 5 } })).answer).toEqual({ data: { echo: 5 } });
    const other = { query };
    expect(await post(listed, other)).toMatchObject({ status: 400, answer: failure('OPERATION_NOT_LISTED') });
    listed.router.usePersistedList('{"broken": "{ users"}');
    expect(await post(listed, other)).toMatchObject({ status: 400, answer: failure('OPERATION_NOT_LISTED') });
    listed.router.usePersistedList(JSON.stringify({ seven: query }));
    expect((await post(listed, other)).answer).toEqual({ data: { echo: 7 } });
    expect((await post(listed, byHash('echo-v1'))).answer).toMatchObject(failure('PERSISTED_QUERY_NOT_FOUND'));
  });
});

describe('a list of operations', () => {
  const one = { query: '{ echo(number: 1) }' };

  test('is answered in its order, each with its own errors', async () => {
    const { status, answer } = await post(router, [one, { query: '{ nothing }' }, byHash('x')]);
    expect(status).toBe(200);
    expect(answer).toMatchObject([
      { data: { echo: 1 } },
      failure('GRAPHQL_VALIDATION_FAILED'),
      failure('PERSISTED_QUERY_NOT_FOUND'),
    ]);
  });

  test('that is too long, or empty, is refused whole', async () => {
    expect(await post(router, [one, one, one, one])).toMatchObject({ status: 400, answer: failure('BATCH_LIMIT') });
    expect(await post(router, [])).toMatchObject({ status: 400, answer: failure('BAD_REQUEST') });
    expect(await post(listed, [one])).toMatchObject({ status: 400, answer: failure('BATCH_LIMIT') });
  });
});

describe('an answer', () => {
  // Not fetch, which takes the encoding off again.
  async function introspect(acceptEncoding: string): Promise<{ response: IncomingMessage; body: Buffer }> {
    const search = new URLSearchParams({ query: '{ __schema { types { name fields { name } } } }' });
    const request = get(`${router.url}?${search.toString()}`, { headers: { 'accept-encoding': acceptEncoding } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { response, body: Buffer.concat(chunks) };
  }

  test('is compressed for clients that take it, and says that others get another', async () => {
    const small = await introspect('gzip;q=0.5, br');
    const plain = await introspect('identity');
    expect(small.response.headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding' });
    expect(Number(small.response.headers['content-length'])).toBe(small.body.length);
    expect(plain.response.headers).toMatchObject({ vary: 'accept-encoding' });
    expect(plain.response.headers['content-encoding']).toBeUndefined();
    expect(brotliDecompressSync(small.body)).toEqual(plain.body);
  });
});

describe('a client that is too slow', () => {
  let impatient: TestRouter;
  beforeAll(async () => {
    impatient = await startTestRouter({ REQUEST_RECEIVE_TIMEOUT_MS: '400' });
  });
  afterAll(() => impatient.close());

  test.each([
    [
      'with its body',
      'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
    ],
    ['with its head', 'POST /graphql HTTP/1.1\r\nhost: x\r\n'],
  ])('%s is told so, and let go', async (_name, start) => {
    const socket = connect(Number(new URL(impatient.url).port), '127.0.0.1');
    socket.write(start);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(text).toContain('"code":"REQUEST_TIMEOUT"');
  });
});

describe('a request', () => {
  test('that is too large is read away behind its refusal, so that the client can read it and goes on', async () => {
    // The rest is read away for so long only.
    using _clock = stopClock();
    const socket = connect(Number(new URL(router.url).port), '127.0.0.1').setEncoding('utf8');
    const head = 'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    socket.write(`${head}content-length: 2000000\r\n\r\n${'x'.repeat(1_000_000)}`);
    const [refusal] = (await once(socket, 'data')) as [string];
    expect(refusal).toMatch(/^HTTP\/1\.1 413 /);
    socket.write(`${'x'.repeat(1_000_000)}${head}content-length: 18\r\n\r\n{"query":"{ no }"}`);
    const [next] = (await once(socket, 'data')) as [string];
    expect(next).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  test('may name the whole address, as for a proxy', async () => {
    const { hostname, port } = new URL(router.url);
    const asked = get({ hostname, port, path: `${router.url}?query={users{id}}`, agent: false });
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    answer.destroy();
  });

  test('whose body is compressed is answered 415', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const response = await fetch(router.url, { method: 'POST', headers, body: '{"query":"{ users { id } }"}' });
    expect([response.status, await response.json()]).toMatchObject([415, failure('UNSUPPORTED_MEDIA_TYPE')]);
  });

  // What is not run reaches no subgraph.
  test.each(['image/png', 'text/html', 'application/json;q=0', 'multipart/mixed'])(
    'whose answer the client would not take is not run: %s',
    async (accept) => {
      const before = router.seen.length;
      const body = { query: 'mutation { rename(id: "1", name: "Eve") { id } }' };
      for (const params of [body, { ...body, extensions: { client: 'x' } }]) {
        const headers = { 'content-type': 'application/json', accept };
        const response = await fetch(router.url, { method: 'POST', headers, body: JSON.stringify(params) });
        expect([response.status, await response.json()]).toMatchObject([406, failure('BAD_REQUEST')]);
      }
      expect(router.seen).toHaveLength(before);
    },
  );
});
