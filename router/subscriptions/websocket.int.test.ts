// graphql-transport-ws end to end inside one process: real sockets, the real client, a real broker.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'graphql-ws';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { holdFreePort } from '../../dev/ports.ts';
import type { HeldPort } from '../../dev/ports.ts';
import { stopClock } from '../test-clock.ts';
import { renewThingsStream, startTestLive, tokenOf, until, watch } from './test-live.ts';
import type { TestLive, TestLiveOptions } from './test-live.ts';

let broker: Nats;
/** Where the broker tells of its connections. */
let monitor: HeldPort;
let live: TestLive | undefined;

beforeAll(async () => {
  monitor = await holdFreePort();
  broker = await startNats({
    storeDir: await mkdtemp(join(tmpdir(), 'live-')),
    disposable: true,
    configExtra: `http: "127.0.0.1:${String(monitor.port)}"`,
  });
});
afterAll(async () => {
  await broker.close();
  monitor.release();
});
afterEach(async () => {
  await live?.close();
  live = undefined;
});

async function start(options: Partial<TestLiveOptions> = {}): Promise<TestLive> {
  await renewThingsStream(broker.url);
  return (live = await startTestLive({ natsUrl: broker.url, ...options }));
}

/** What a client may leave behind outside the engine: subscriptions that the broker holds for the router, and timers of this process. */
async function held(): Promise<{ readonly natsSubscriptions: number; readonly timers: number }> {
  const answer = await fetch(`http://127.0.0.1:${String(monitor.port)}/connz`);
  const { connections } = (await answer.json()) as { connections: { name?: string; subscriptions: number }[] };
  const routers = connections.filter(({ name }) => name === 'test-router');
  return {
    natsSubscriptions: routers.reduce((sum, { subscriptions }) => sum + subscriptions, 0),
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
  };
}

const one = 'subscription ($id: ID!, $after: String) { thingChanged(id: $id, after: $after) { cursor version } }';

describe('a subscription to one thing', () => {
  test('is given the present state at once and then each change once, in order', async () => {
    const { publish, client } = await start();
    await publish('alice', 'a', 1);
    await publish('alice', 'a', 2);
    const events = watch(client(tokenOf('alice')), one, { id: 'a' });
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 2 });
    await publish('alice', 'b', 1);
    await publish('alice', 'a', 3);
    await publish('alice', 'a', 4);
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 3 });
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 4 });
  });

  test('goes on behind its cursor', async () => {
    const { publish, client } = await start();
    await publish('alice', 'a', 1);
    const before = watch(client(tokenOf('alice')), one, { id: 'a' });
    const after = (await before.next()).data?.['thingChanged']?.['cursor'];
    await before.stop();
    await publish('alice', 'a', 2);
    await publish('alice', 'a', 3);
    const events = watch(client(tokenOf('alice')), one, { id: 'a', after });
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 2 });
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 3 });
    await publish('alice', 'a', 4);
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 4 });
  });

  test('is completed from the subgraph that owns the thing', async () => {
    const { publish, client, subgraph } = await start();
    await publish('alice', 'a', 1);
    const events = watch(client(tokenOf('alice')), 'subscription { thingChanged(id: "a") { thing { id name } } }');
    expect(await events.next()).toEqual({ data: { thingChanged: { thing: { id: 'a', name: 'thing a' } } } });
    expect(subgraph.requests[0]?.context.viewer?.sub).toBe('alice');
  });
});

describe('many operations on one connection', () => {
  test('queries and mutations are answered too, by the same rules as over HTTP', async () => {
    const { client } = await start();
    const query = watch(client(tokenOf('alice')), 'query ($id: ID!) { thing(id: $id) { name } }', { id: 'x' });
    expect(await query.next()).toEqual({ data: { thing: { name: 'thing x' } } });
    await query.end();
  });

  test('queries and mutations are so many under way, as over HTTP, and subscriptions are not among them', async () => {
    const { client, publish, subgraph, reports } = await start({ maxUnderWay: 1 });
    await publish('alice', 'a', 1);
    const own = client(tokenOf('alice'), { lazy: false });
    const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
    const release = subgraph.hold(asked);
    const answer = watch(own, 'query ($id: ID!) { thing(id: $id) { name } }', { id: 'x' }).next();
    await isAsked;
    await expect(watch(own, '{ thing(id: "y") { name } }').next()).rejects.toMatchObject([
      { extensions: { code: 'OVERLOADED', retryAfter: 1 } },
    ]);
    const events = watch(own, one, { id: 'a' });
    expect((await events.next()).data?.['thingChanged']).toMatchObject({ version: 1 });
    release();
    expect(await answer).toEqual({ data: { thing: { name: 'thing x' } } });
    const next = watch(own, 'query ($id: ID!) { thing(id: $id) { name } }', { id: 'z' });
    expect(await next.next()).toEqual({ data: { thing: { name: 'thing z' } } });
    expect(reports).toEqual(['query  OVERLOADED', 'subscription  ok', 'query  ok', 'query  ok']);
  });

  test('what is wrong with one is told to that one', async () => {
    const { client, publish } = await start();
    await publish('alice', 'a', 1);
    const own = client(tokenOf('alice'), { lazy: false });
    const good = watch(own, one, { id: 'a' });
    await good.next();
    for (const [query, variables, code] of [
      ['subscription {', {}, 'GRAPHQL_PARSE_FAILED'],
      ['subscription { nothing }', {}, 'GRAPHQL_VALIDATION_FAILED'],
      ['subscription ($id: ID!) { thingChanged(id: $id) { version } }', {}, 'BAD_USER_INPUT'],
      ['subscription { allThingsChanged { version } }', {}, 'FORBIDDEN'],
      [one, { id: 'b' }, 'NOT_FOUND'],
      [one, { id: 'a', after: 'x' }, 'CURSOR_INVALID'],
      [
        'subscription ($yes: Boolean!) { thingChanged(id: "a") @include(if: $yes) { version } }',
        { yes: false },
        undefined,
      ],
    ] as const) {
      const errors: unknown = await watch(own, query, variables)
        .next()
        .catch((error: unknown) => error);
      expect(errors).toEqual([
        expect.objectContaining({ extensions: code === undefined ? expect.anything() : { code } }),
      ]);
    }
    await publish('alice', 'a', 2);
    expect((await good.next()).data?.['thingChanged']).toMatchObject({ version: 2 });
  });

  test('are limited for a connection and for a viewer', async () => {
    const { client, publish } = await start({
      limits: { maxSubscriptionsPerConnection: 2, maxSubscriptionsPerViewer: 3, maxConnectionsPerViewer: 2 },
    });
    await publish('alice', 'a', 1);
    const [first, second, third] = [client(tokenOf('alice')), client(tokenOf('alice')), client(tokenOf('alice'))];
    for (const own of [first, first, second]) await watch(own, one, { id: 'a' }).next();
    for (const own of [first, second]) {
      await expect(watch(own, one, { id: 'a' }).next()).rejects.toEqual([
        expect.objectContaining({ extensions: { code: 'SUBSCRIPTION_LIMIT' } }),
      ]);
    }
    await expect(watch(third, one, { id: 'a' }).next()).rejects.toMatchObject({
      code: 4412,
      reason: 'CONNECTION_LIMIT',
    });
  });
});

describe('operations', () => {
  test('that are left, by a word or with the connection, end what they had asked of subgraphs, and count as no failure', async () => {
    const { client, subgraph, reports } = await start();
    const query = 'query Left { thing(id: "a") { name } }';
    for (const leave of ['a word', 'the connection']) {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      const answer = subgraph.hold(resolve);
      const own = client(tokenOf('alice'));
      const left = own.iterate({ query });
      const ended = left.next().catch(() => undefined);
      await asked;
      const { signal } = subgraph.requests.at(-1)?.context ?? {};
      expect({ leave, aborted: signal?.aborted }).toEqual({ leave, aborted: false });
      if (leave === 'a word') await left.return?.();
      else own.terminate();
      await until(() => Promise.resolve(signal?.aborted === true));
      answer();
      await ended;
    }
    await until(() => Promise.resolve(reports.length === 2));
    expect(reports).toEqual(['query Left ok', 'query Left ok']);
  });

  test('are limited by their cost as over HTTP, subscriptions too', async () => {
    const { client, publish } = await start();
    await publish('alice', 'a', 1);
    const own = client(tokenOf('alice'));
    const code = 'COST_ESTIMATED_TOO_EXPENSIVE';
    const selection = (things: number): string =>
      `thingChanged(id: "a") { ${Array.from({ length: things }, (_, n) => `t${n}: thing { name }`).join(' ')} }`;
    expect((await watch(own, `subscription { ${selection(2)} }`).next()).errors).toBeUndefined();
    await expect(watch(own, `subscription { ${selection(3)} }`).next()).rejects.toMatchObject([
      { extensions: { code, measured: 4, allowed: 3 } },
    ]);
    const things = (count: number): string =>
      Array.from({ length: count }, (_, n) => `t${n}: thing(id: 1) { id }`).join();
    expect((await watch(own, `{ ${things(3)} }`).next()).errors).toBeUndefined();
    await expect(watch(own, `{ ${things(4)} }`).next()).rejects.toMatchObject([{ extensions: { code } }]);
  });

  test('are limited by their rate, for a viewer over all connections, and for an address', async () => {
    const { client } = await start({ rates: { perViewer: 2, perAddress: 4 } });
    const [first, second] = [client(tokenOf('alice')), client(tokenOf('alice'))];
    const ask = (own: Client): Promise<unknown> => watch(own, '{ thing(id: 1) { id } }').next();
    const refused = [{ extensions: { code: 'RATE_LIMITED', retryAfter: 1 } }];
    await ask(first);
    await ask(second);
    await expect(ask(first)).rejects.toMatchObject(refused);
    await ask(client(tokenOf('bob')));
    await expect(ask(client(undefined))).rejects.toMatchObject(refused);
  });
});

describe('who asks', () => {
  test('is read from connectionParams in any letter case', async () => {
    const { client, publish } = await start();
    await publish('alice', 'a', 1);
    const own = client(undefined, { connectionParams: { AuthoriZation: tokenOf('alice') } });
    expect((await watch(own, one, { id: 'a' }).next()).data).toBeTruthy();
  });

  test('is refused with a typed code when the token does not hold', async () => {
    const { client } = await start();
    await expect(watch(client('nonsense'), one, { id: 'a' }).next()).rejects.toMatchObject({
      code: 4403,
      reason: 'UNAUTHENTICATED',
    });
  });

  test('may be nobody, who may not watch', async () => {
    const { client } = await start();
    await expect(watch(client(undefined), one, { id: 'a' }).next()).rejects.toEqual([
      expect.objectContaining({ extensions: { code: 'UNAUTHENTICATED' } }),
    ]);
  });

  test('is given nothing after the token has expired: the connection closes with a typed code, and the cursor stays good', async () => {
    using clock = stopClock();
    const { client, publish, value } = await start();
    await publish('alice', 'a', 1);
    const events = watch(client(tokenOf('alice', { expiresAt: Date.now() + 300 })), one, { id: 'a' });
    const after = (await events.next()).data?.['thingChanged']?.['cursor'];
    clock.advance(300);
    await expect(events.next()).rejects.toMatchObject({ code: 4410, reason: 'TOKEN_EXPIRED' });
    await publish('alice', 'a', 2);
    const resumed = watch(client(tokenOf('alice')), one, { id: 'a', after });
    expect((await resumed.next()).data?.['thingChanged']).toMatchObject({ version: 2 });
    expect(await value('closes')).toBe(1);
  });
});

describe('the broker', () => {
  test('may be restarted without a change missed or repeated', async () => {
    const { client, publish } = await start();
    await publish('alice', 'a', 1);
    const own = client(tokenOf('alice'));
    const events = watch(own, one, { id: 'a' });
    const wide = watch(own, 'subscription { myThingsChanged { version } }');
    const next = wide.next();
    await events.next();
    await publish('alice', 'a', 2);
    await Promise.all([events.next(), next]);
    await broker.process.kill('SIGKILL');
    await broker.process.ready();
    await publish('alice', 'a', 3);
    await publish('alice', 'a', 4);
    for (const version of [3, 4]) {
      expect((await events.next()).data?.['thingChanged']).toMatchObject({ version });
      expect((await wide.next()).data?.['myThingsChanged']).toMatchObject({ version });
    }
  });

  test('away: a new subscription is told SERVICE_UNAVAILABLE, and a later one works', async () => {
    const { client, publish, metrics } = await start();
    await publish('alice', 'a', 1);
    const own = client(tokenOf('alice'), { lazy: false });
    await broker.process.stop();
    await expect(watch(own, one, { id: 'a' }).next()).rejects.toEqual([
      expect.objectContaining({ extensions: { code: 'SERVICE_UNAVAILABLE' } }),
    ]);
    expect((await metrics.topics.get()).values[0]?.value).toBe(0);
    await broker.process.start();
    await publish('alice', 'a', 2);
    const retried = async (): Promise<unknown> => watch(own, one, { id: 'a' }).next().catch(retried);
    expect(await retried()).toMatchObject({ data: { thingChanged: { version: 2 } } });
  });
});

describe('a client that goes', () => {
  test('abruptly, politely or while it starts leaves nothing behind', async () => {
    const { url, client, publish, value, metrics } = await start();
    await publish('alice', 'a', 1);
    const allGone = async (): Promise<boolean> =>
      (await value('connections')) === 0 && (await value('subscriptions')) === 0 && (await value('topics')) === 0;
    // What is made with the first use and kept is no leak: the subscription that takes the answers to requests.
    const first = client(tokenOf('alice'));
    await watch(first, one, { id: 'a' }).next();
    // The broker may still have the connection of the test before.
    await until(async () => (await held()).natsSubscriptions === 2);
    await first.dispose();
    await until(allGone);
    await until(async () => (await held()).natsSubscriptions === 1);
    const { timers } = await held();
    const closed: Promise<unknown>[] = [];
    for (let round = 0; round < 30; round += 1) {
      const socket = new WebSocket(url, 'graphql-transport-ws');
      await new Promise((resolve) => socket.once('open', resolve));
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      const say = (message: object): void => socket.send(JSON.stringify(message));
      say({ type: 'connection_init', payload: { authorization: tokenOf('alice') } });
      await new Promise((resolve) => socket.once('message', resolve));
      say({ id: '1', type: 'subscribe', payload: { query: one, variables: { id: 'a' } } });
      if (round % 3 === 0) {
        await new Promise((resolve) => socket.once('message', resolve));
        socket.terminate();
      } else if (round % 3 === 1) {
        say({ id: '1', type: 'complete' });
        // The id may be used again although the first subscription may still be starting.
        say({ id: '1', type: 'subscribe', payload: { query: one, variables: { id: 'a' } } });
        socket.close();
      } else {
        socket.terminate();
      }
    }
    await Promise.all(closed);
    await until(allGone);
    expect(await metrics.groups.get()).toMatchObject({ values: [{ value: 0 }] });
    await until(async () => (await held()).natsSubscriptions === 1);
    await until(async () => (await held()).timers <= timers);
  });

  test('silent is found by its missing pong', async () => {
    const { url, value } = await start({ limits: { pingIntervalMs: 120 } });
    const socket = new WebSocket(url, 'graphql-transport-ws', { autoPong: false });
    await new Promise((resolve) => socket.once('open', resolve));
    await new Promise((resolve) => socket.once('close', resolve));
    await until(async () => (await value('connections')) === 0);
  });

  test('that never says connection_init is closed', async () => {
    const { url } = await start({ limits: { initTimeoutMs: 50 } });
    const socket = new WebSocket(url, 'graphql-transport-ws');
    expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(4408);
  });
});

describe('a router that goes down', () => {
  test('tells every client, refuses new ones, and the cursors are good at the next', async () => {
    const first = await start();
    await first.publish('alice', 'a', 1);
    const events = watch(first.client(tokenOf('alice')), one, { id: 'a' });
    const after = (await events.next()).data?.['thingChanged']?.['cursor'];
    const ended = events.next().catch((error: unknown) => error);
    await first.drain();
    expect(await ended).toMatchObject({ code: 1012, reason: 'SHUTTING_DOWN' });
    await expect(watch(first.client(tokenOf('alice')), one, { id: 'a' }).next()).rejects.toBeTruthy();
    await first.publish('alice', 'a', 2);
    const second = await startTestLive({ natsUrl: broker.url });
    const resumed = watch(second.client(tokenOf('alice')), one, { id: 'a', after });
    expect((await resumed.next()).data?.['thingChanged']).toMatchObject({ version: 2 });
    await second.close();
  });
});
