// What every protocol promises, with the real client of each: the same events, the same typed codes, the same drain.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { stopClock } from '../test-clock.ts';
import { clients } from './test-clients.ts';
import type { ClientSubscription } from './test-clients.ts';
import { composeThings, renewThingsStream, startTestLive, testSupergraph, tokenOf, watch } from './test-live.ts';
import type { TestLive, TestLiveOptions } from './test-live.ts';

let broker: Nats;
let live: TestLive;

beforeAll(async () => {
  broker = await startNats({ storeDir: await mkdtemp(join(tmpdir(), 'live-')), disposable: true });
});
afterAll(() => broker.close());
beforeEach(() => renewThingsStream(broker.url));

const one = 'subscription ($id: ID!, $after: String) { thingChanged(id: $id, after: $after) { cursor version } }';

describe.each(Object.entries(clients))('%s', (_name, createClient) => {
  async function within(options: Partial<TestLiveOptions>, work: () => Promise<void>): Promise<void> {
    live = await startTestLive({ natsUrl: broker.url, ...options });
    try {
      await work();
    } finally {
      await live.close();
    }
  }
  const subscribe = (token: string, query: string, variables: Record<string, unknown> = {}): ClientSubscription =>
    createClient(live.httpUrl, token).subscribe(query, variables);
  const event = async (subscription: ClientSubscription): Promise<Record<string, unknown>> =>
    Object.values((await subscription.next()).data ?? {})[0] ?? {};

  test('gives the present, then each change, completed from the subgraph, and resumes', async () => {
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      const query =
        'subscription ($after: String) { thingChanged(id: "a", after: $after) { cursor version thing { id name } } }';
      const first = subscribe(tokenOf('alice'), query);
      const thing = { id: 'a', name: 'thing a' };
      const present = await event(first);
      expect(present).toMatchObject({ version: 1, thing });
      await live.publish('alice', 'a', 2);
      expect(await event(first)).toMatchObject({ version: 2, thing });
      first.stop();
      await live.publish('alice', 'a', 3);
      const resumed = subscribe(tokenOf('alice'), query, { after: present['cursor'] });
      expect(await event(resumed)).toMatchObject({ version: 2 });
      expect(await event(resumed)).toMatchObject({ version: 3 });
      resumed.stop();
    });
  });

  test('tells CURSOR_INVALID for a foreign and an edited cursor, CURSOR_EXPIRED for one whose events are gone', async () => {
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      await live.publish('bob', 'a', 1);
      const first = subscribe(tokenOf('alice'), one, { id: 'a' });
      const cursor = String((await event(first))['cursor']);
      first.stop();
      const edited = `${cursor.slice(0, 10)}${cursor[10] === 'A' ? 'B' : 'A'}${cursor.slice(11)}`;
      const code = (token: string, after: string): Promise<unknown> =>
        subscribe(token, one, { id: 'a', after })
          .next()
          .catch((error: unknown) => error);
      expect(await code(tokenOf('bob'), cursor)).toMatchObject({ code: 'CURSOR_INVALID' });
      expect(await code(tokenOf('alice'), edited)).toMatchObject({ code: 'CURSOR_INVALID' });
      await live.publish('alice', 'a', 2);
      await live.publish('alice', 'a', 3);
      await live.manager.streams.purge('THINGS', { seq: 4 });
      expect(await code(tokenOf('alice'), cursor)).toMatchObject({ code: 'CURSOR_EXPIRED' });
    });
  });

  test('ends with TOKEN_EXPIRED when the token does', async () => {
    using clock = stopClock();
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      const events = subscribe(tokenOf('alice', { expiresAt: Date.now() + 500 }), one, { id: 'a' });
      expect(await event(events)).toMatchObject({ version: 1 });
      clock.advance(500);
      await expect(events.next()).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
      expect(await live.value('subscriptions')).toBe(0);
    });
  });

  test('ends with UNAUTHENTICATED when the key of the token is taken out of the JWKS, and the others go on', async () => {
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      await live.publish('bob', 'b', 1);
      const events = subscribe(tokenOf('alice'), one, { id: 'a' });
      const others = subscribe(tokenOf('bob'), one, { id: 'b' });
      await Promise.all([event(events), event(others)]);
      live.revoke('alice');
      await expect(events.next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
      await live.publish('bob', 'b', 2);
      expect(await event(others)).toMatchObject({ version: 2 });
      others.stop();
    });
  });

  test('refuses what the viewer may not watch before anything opens', async () => {
    await within({}, async () => {
      const all = 'subscription { allThingsChanged { version } }';
      await expect(subscribe(tokenOf('alice'), all).next()).rejects.toMatchObject({ code: 'FORBIDDEN' });
      expect(await live.value('topics')).toBe(0);
    });
  });

  test('tells SHUTTING_DOWN when the router goes', async () => {
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      const events = subscribe(tokenOf('alice'), one, { id: 'a' });
      await event(events);
      await live.drain();
      await expect(events.next()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    });
  });

  test('goes on over a new supergraph that it fits, and ends with SUBSCRIPTION_SCHEMA_RELOAD where it does not', async () => {
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      const fits = subscribe(tokenOf('alice'), one, { id: 'a' });
      const fails = subscribe(tokenOf('alice'), 'subscription { thingChanged(id: "a") { version note } }');
      await Promise.all([event(fits), event(fails)]);
      live.reload(composeThings((sdl) => sdl.replace('note: String,', 'remark: String,')));
      await expect(fails.next()).rejects.toMatchObject({ code: 'SUBSCRIPTION_SCHEMA_RELOAD' });
      await live.publish('alice', 'a', 2);
      expect(await event(fits)).toMatchObject({ version: 2 });
      fits.stop();
    });
  });

  test('is reported once, when it has begun or was refused', async () => {
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      const events = subscribe(tokenOf('alice'), one.replace('subscription', 'subscription Watch'), { id: 'a' });
      await event(events);
      const refused = [
        'subscription All { allThingsChanged { version } }',
        'subscription Resume { thingChanged(id: "a", after: "x") { version } }',
      ];
      for (const query of refused) await expect(subscribe(tokenOf('alice'), query).next()).rejects.toBeDefined();
      await live.publish('alice', 'a', 2);
      await event(events);
      events.stop();
      expect(live.reports).toEqual([
        'subscription Watch ok',
        'subscription All FORBIDDEN',
        'subscription Resume CURSOR_INVALID',
      ]);
    });
  });

  test('leaves nothing behind when the client stops', async () => {
    await within({}, async () => {
      await live.publish('alice', 'a', 1);
      const events = subscribe(tokenOf('alice'), one, { id: 'a' });
      await event(events);
      events.stop();
      while ((await live.value('topics')) > 0 || (await live.value('subscriptions')) > 0)
        await new Promise(setImmediate);
    });
  });
});

test.each(['graphql-ws', 'graphql-sse'] as const)('what cannot be planned is told so, masked: %s', async (name) => {
  const { planner } = testSupergraph;
  const { buildQueryPlan } = planner;
  planner.buildQueryPlan = () => {
    throw new Error('no path');
  };
  live = await startTestLive({ natsUrl: broker.url });
  try {
    for (const query of [
      'query Lost { thing(id: "p") { name } }',
      'subscription Lost { thingChanged(id: "p") { version } }',
    ]) {
      const asked = clients[name]?.(live.httpUrl, tokenOf('alice')).subscribe(query);
      await expect(asked?.next()).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    }
    expect(live.reports).toEqual(Array.from({ length: 2 }, () => 'unknown  INTERNAL_SERVER_ERROR'));
  } finally {
    planner.buildQueryPlan = buildQueryPlan;
    await live.close();
  }
});

test.each(['text/event-stream', 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0, application/json'])(
  'a viewer who starts more streams than their rate allows is told when to come again: %s',
  async (accept) => {
    live = await startTestLive({ natsUrl: broker.url, rates: { perViewer: 1 } });
    try {
      await live.publish('alice', 'a', 1);
      await live.publish('bob', 'a', 1);
      const start = async (viewer: string): Promise<Response> =>
        fetch(live.httpUrl, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept, authorization: tokenOf(viewer) },
          body: JSON.stringify({ query: one, variables: { id: 'a' } }),
        });
      const first = await start('alice');
      const second = await start('alice');
      const other = await start('bob');
      expect([first.status, second.status, other.status]).toEqual([200, 429, 200]);
      expect(second.headers.get('retry-after')).toBe('1');
      expect(await second.json()).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED', retryAfter: 1 } }] });
      await Promise.all([first.body?.cancel(), other.body?.cancel()]);
    } finally {
      await live.close();
    }
  },
);

test('a stream is for subscriptions, and for all that is asked by a client that takes nothing else', async () => {
  live = await startTestLive({ natsUrl: broker.url });
  try {
    await live.publish('alice', 'a', 1);
    const typeOf = async (accept: string, query: string): Promise<string | null> => {
      const headers = { 'content-type': 'application/json', accept, authorization: tokenOf('alice') };
      const body = JSON.stringify({ query, variables: { id: 'a' } });
      const response = await fetch(live.httpUrl, { method: 'POST', headers, body });
      await response.body?.cancel();
      return response.headers.get('content-type');
    };
    // The other lane answers what is not answered here.
    const elsewhere = null;
    const sse = 'text/event-stream; charset=utf-8';
    const urql =
      'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed';
    const query = 'query ($id: ID!) { thing(id: $id) { name } }';
    expect(await typeOf(urql, query)).toBe(elsewhere);
    expect(await typeOf('text/event-stream, */*;q=0.1', query)).toBe(elsewhere);
    expect(await typeOf(urql, '{ nothing }')).toBe(elsewhere);
    expect(await typeOf(urql, one)).toBe(sse);
    expect(await typeOf('text/event-stream', query)).toBe(sse);
    expect(await typeOf('text/event-stream', '{ nothing }')).toBe(sse);
    const refused = await fetch(live.httpUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: 'none' },
      body: JSON.stringify({ query: one, variables: { id: 'a' } }),
    });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    // What was answered elsewhere is reported there.
    while (live.reports.length < 4) await new Promise(setImmediate);
    expect(live.reports.toSorted()).toEqual([
      'query  ok',
      'subscription  UNAUTHENTICATED',
      'subscription  ok',
      'unknown  GRAPHQL_VALIDATION_FAILED',
    ]);
  } finally {
    await live.close();
  }
});

test('variables over a socket are as deep as they may be, and no deeper', async () => {
  live = await startTestLive({ natsUrl: broker.url });
  try {
    const socket = live.client(tokenOf('alice'), { lazy: false });
    const nested = (levels: number): unknown => (levels === 0 ? 'x' : [nested(levels - 1)]);
    const refusal = async (levels: number): Promise<unknown> =>
      watch(socket, 'query ($id: ID!) { thing(id: $id) { name } }', { id: nested(levels) })
        .next()
        .catch((errors: unknown) => errors);
    const tooDeep = expect.stringMatching(/nested deeper than the 5 levels/) as unknown;
    const extensions = { code: 'BAD_USER_INPUT' };
    expect(await refusal(6)).toMatchObject([{ message: tooDeep, extensions }]);
    // No list is an id; but it was looked at.
    expect(await refusal(5)).toMatchObject([{ message: expect.stringMatching(/ID cannot represent/), extensions }]);
  } finally {
    await live.close();
  }
});
