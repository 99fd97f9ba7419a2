// Headers of a client's request on their way to subgraphs: in every way that HTTP offers to ask, and never in the name of another.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncomingHttpHeaders } from 'node:http';
import { WebSocket } from 'ws';
import { startTestRouter } from './test-router.ts';
import type { TestRouter } from './test-router.ts';
import { reply, startScriptedSubgraph } from './test-scripted-subgraph.ts';
import type { ScriptedSubgraph } from './test-scripted-subgraph.ts';

let reviews: ScriptedSubgraph;
let router: TestRouter;
/** Headers that reached the subgraph of reviews. */
let seen: IncomingHttpHeaders[];
/** Answers wait for it. */
let held: Promise<void>;

beforeAll(async () => {
  reviews = await startScriptedSubgraph();
  router = await startTestRouter({
    SUBGRAPH_URL_REVIEWS: reviews.url,
    FORWARD_HEADERS: 'Accept-Language,x-tenant',
    BATCH_LIMIT: '2',
    CORS_ORIGINS: 'https://shop.example',
  });
});
afterAll(async () => {
  await router.close();
  await reviews.stop();
});

function play(): void {
  seen = [];
  held = Promise.resolve();
  reviews.play((response, { variables }, { headers }) => {
    seen.push(headers);
    const entities = (variables?.representations ?? []).map(() => ({ reviews: [{ text: 'fine' }] }));
    void held.then(() => reply(response, { data: { _entities: entities } }));
  });
}

const question = '{ users { id reviews { text } } }';
const sent = { 'Accept-Language': 'ko, de;q=0.5', 'X-Tenant': 'Größe', 'x-other': 'stays', cookie: 'stays=too' };
const json = { 'content-type': 'application/json' };
const posted = (body: unknown, more: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: 'POST',
  headers: { ...json, ...sent, ...more },
  body: JSON.stringify(body),
});

describe('go on', () => {
  const deferred = '{ users { id ... @defer { reviews { text } } } }';
  test.each<[string, string, () => RequestInit]>([
    ['from a usual request', '', () => posted({ query: question })],
    ['from the lane of Apollo Server', '', () => posted({ query: question, extensions: { a: 1 } })],
    ['from a GET', `?query=${encodeURIComponent(question)}`, () => ({ headers: { ...json, ...sent } })],
    ['from a batch', '', () => posted([{ query: question }])],
    ['with what is deferred', '', () => posted({ query: deferred }, { accept: 'multipart/mixed;deferSpec=20220824' })],
    [
      'with what follows a mutation',
      '',
      () => posted({ query: `mutation { rename(id: 1, name: "x") ${question.slice(8, -2)} }` }),
    ],
  ])('%s', async (_, search, init) => {
    play();
    router.seen.length = 0;
    const text = await (await fetch(`${router.url}${search}`, init())).text();
    expect(text).toContain('"fine"');
    expect(router.seen).toHaveLength(1);
    expect(seen).toHaveLength(1);
    for (const headers of [...router.seen, ...seen]) {
      expect(headers).toMatchObject({ 'accept-language': 'ko, de;q=0.5', 'x-tenant': 'Größe' });
      expect(headers).not.toHaveProperty('x-other');
      expect(headers).not.toHaveProperty('cookie');
    }
  });

  test('and pages that may call may send them', async () => {
    const { headers } = await fetch(router.url, { method: 'OPTIONS', headers: { origin: 'https://shop.example' } });
    expect(headers.get('access-control-allow-headers')).toContain(', accept-language, x-tenant');
  });
});

test('the same query under way is shared between those with the same headers, and with nobody else', async () => {
  play();
  const { promise, resolve: release } = Promise.withResolvers<void>();
  held = promise;
  const tenants = ['one', 'one', 'two', undefined, undefined];
  const answers = tenants.map((tenant) =>
    router.ask(question, tenant === undefined ? {} : { headers: { 'x-tenant': tenant } }),
  );
  const metrics = async (): Promise<string> => (await fetch(`${router.origin}/metrics`)).text();
  while (!/subgraph="reviews",state="running".* 5\n/.test(await metrics())) await new Promise(setImmediate);
  release();
  for (const { errors } of await Promise.all(answers)) expect(errors).toEqual([]);
  expect(seen.map((headers) => headers['x-tenant']).toSorted()).toEqual(['one', 'two', undefined]);
});

describe('an upgrade to a WebSocket by a page of another origin', () => {
  const upgraded = async (forward: string, headers: Readonly<Record<string, string>>): Promise<string> => {
    const own = await startTestRouter({ FORWARD_HEADERS: forward, CORS_ORIGINS: 'https://shop.example' });
    try {
      const socket = new WebSocket(own.url.replace('http', 'ws'), 'graphql-transport-ws', {
        headers: { cookie: 'session=alice', ...headers },
      });
      return await new Promise((resolve) => {
        socket.once('open', () => resolve('open'));
        socket.once('unexpected-response', (_, { statusCode }) => resolve(String(statusCode)));
      });
    } finally {
      await own.close();
    }
  };
  const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };

  test.each([
    ['is refused where cookies go on', 'cookie', foreign, '403'],
    ['is refused by its origin alone', 'cookie', { origin: 'https://evil.example' }, '403'],
    ['passes where no cookie goes on', 'x-tenant', foreign, 'open'],
    ['passes when it may call', 'cookie', { ...foreign, origin: 'https://shop.example' }, 'open'],
    ['is none of a program', 'cookie', {}, 'open'],
  ])('%s', async (_, forward, headers, outcome) => {
    expect(await upgraded(forward, headers)).toBe(outcome);
  });
});
