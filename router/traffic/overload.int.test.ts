// More requests than there is room for: who is sent away, how, and what is answered all the same.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestRouter } from '../test-router.ts';
import type { TestRouter } from '../test-router.ts';
import { reply, startScriptedSubgraph } from '../test-scripted-subgraph.ts';
import type { ScriptedSubgraph } from '../test-scripted-subgraph.ts';

let users: ScriptedSubgraph;
let router: TestRouter;

beforeAll(async () => {
  users = await startScriptedSubgraph();
  router = await startTestRouter({
    SUBGRAPH_URL_USERS: users.url,
    REQUESTS_UNDER_WAY: '3',
    SUBGRAPH_SHARING: 'off',
    CORS_ORIGINS: 'https://shop.example',
  });
});
afterAll(async () => {
  await router.close();
  await users.stop();
});

test('is answered 503 with Retry-After, at once, while those under way are answered in the end', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
  const { promise: full, resolve: isFull } = Promise.withResolvers<undefined>();
  users.play((response) => {
    if (users.asked() === 3) isFull(undefined);
    void held.then(() => reply(response, { data: { echo: 1 } }));
  });
  const underWay = Array.from({ length: 3 }, () => router.ask('{ echo(number: 1) }'));
  await full;

  const shed = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'https://shop.example' },
    body: JSON.stringify({ query: '{ echo(number: 2) }', variables: { filler: 'x'.repeat(500_000) } }),
  });
  expect(shed.status).toBe(503);
  expect(shed.headers.get('retry-after')).toBe('1');
  expect(shed.headers.get('access-control-allow-origin')).toBe('https://shop.example');
  expect(await shed.json()).toMatchObject({ errors: [{ extensions: { code: 'OVERLOADED' } }] });
  expect(users.asked()).toBe(3);

  for (const path of ['/health/live', '/health/ready', '/metrics']) {
    expect((await fetch(`${router.origin}${path}`)).status).toBe(200);
  }
  const figures = await (await fetch(`${router.origin}/metrics`)).text();
  expect(figures).toMatch(/router_requests_shed_total\{reason="under-way",.*\} 1/);
  expect(figures).toMatch(/router_requests_under_way\{.*\} 3/);

  release(undefined);
  expect((await Promise.all(underWay)).map(({ data }) => data)).toEqual(Array(3).fill({ echo: 1 }));
  expect((await router.ask('{ echo(number: 3) }')).status).toBe(200);
});

test('a request that fails or goes away leaves its place', async () => {
  users.play((response) => response.destroy());
  for (let at = 0; at < 5; at++)
    expect((await router.ask('mutation { rename(id: 1, name: "x") { id } }')).status).toBe(200);
  users.play(() => undefined);
  for (let at = 0; at < 5; at++) {
    const gone = new AbortController();
    const { promise: asked, resolve } = Promise.withResolvers<undefined>();
    users.play(() => resolve(undefined));
    const request = fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ echo(number: 1) }' }),
      signal: gone.signal,
    });
    await asked;
    gone.abort();
    await request.catch(() => undefined);
  }
  users.play((response) => reply(response, { data: { echo: 4 } }));
  expect((await router.ask('{ echo(number: 4) }')).data).toEqual({ echo: 4 });
});
