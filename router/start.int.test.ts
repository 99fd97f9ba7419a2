// How a router starts with events to tell: connected to the broker when it is there, and without one all the same.
import { afterEach, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import type { Client } from 'graphql-ws';
import { connect } from 'nats';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { startNats } from '../dev/nats.ts';
import { composeSupergraph } from '../schema/compose.ts';
import { createLog } from '../service/log.ts';
import { connectBroker } from '../service/nats.ts';
import type { Broker } from '../service/nats.ts';
import { readConfig } from './config.ts';
import { startRouter } from './router.ts';
import type { Router } from './router.ts';
import { loadSupergraph } from './supergraph.ts';
import { stopClock } from './test-clock.ts';
import { makeThingsStream, testSupergraph, tokenOf, verifyTestToken, watch } from './subscriptions/test-live.ts';

let cleanUp = new AsyncDisposableStack();
afterEach(async () => {
  await cleanUp.disposeAsync();
  cleanUp = new AsyncDisposableStack();
});

const log = createLog('router', 'silent');

async function start(connect: () => Broker, supergraph = testSupergraph): Promise<Router> {
  const router = await startRouter({
    config: readConfig(
      {
        ROUTER_PORT: '0',
        DRAIN_MS: '0',
        LIVE_DRAIN_MS: '0',
        EVENT_LOOP_DELAY_MS: '600000',
        AUTH_MODE: 'off',
        EXAMPLES_FILE: '/nowhere',
      },
      [],
    ),
    supergraph,
    identity: { verify: verifyTestToken, onKeysChanged: () => () => undefined },
    connect,
    log,
  });
  cleanUp.defer(() => router.close());
  return router;
}

/** With a broker that is there, however long the first connection takes on a busy machine. */
async function startWith(servers: string): Promise<Router> {
  using _clock = stopClock();
  return await start(() => connectBroker({ servers, name: 'router', log }));
}

const readiness = async ({ url }: Router): Promise<unknown> => (await fetch(new URL('/health/ready', url))).json();

function clientOf({ url }: Router): Client {
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: tokenOf('alice') },
  });
  cleanUp.defer(() => client.dispose());
  return client;
}

test('a subscription is answered from the first moment on', async () => {
  const nats = await startNats({ storeDir: await mkdtemp(join(tmpdir(), 'start-')), disposable: true });
  cleanUp.defer(() => nats.close());
  const connection = await connect({ servers: nats.url });
  await makeThingsStream(await connection.jetstreamManager());
  await connection.jetstream().publish('thing.changed.alice.a', '{"version":1}');
  await connection.close();

  const router = await startWith(nats.url);
  expect(await readiness(router)).toMatchObject({ checks: { nats: 'up' } });
  const client = clientOf(router);
  const events = watch(client, 'subscription { thingChanged(id: "a") { version } }');
  expect(await events.next()).toEqual({ data: { thingChanged: { version: 1 } } });
});

test('a new supergraph reaches the subscriptions: those that fit go on, the others are told', async () => {
  const nats = await startNats({ storeDir: await mkdtemp(join(tmpdir(), 'start-')), disposable: true });
  cleanUp.defer(() => nats.close());
  const connection = await connect({ servers: nats.url });
  cleanUp.defer(() => connection.close());
  await makeThingsStream(await connection.jetstreamManager());
  const publish = (version: number): Promise<unknown> =>
    connection.jetstream().publish('thing.changed.alice.a', JSON.stringify({ version }));
  await publish(1);
  const router = await startWith(nats.url);
  const client = clientOf(router);
  const fits = watch(client, 'subscription { thingChanged(id: "a") { version } }');
  const fails = watch(client, 'subscription { thingChanged(id: "a") { version note } }');
  await Promise.all([fits.next(), fails.next()]);
  const next = testSupergraph.sdl.replaceAll(/\bnote: String\b/g, 'remark: String');
  expect(await router.reload(next)).toBe('switched');
  await expect(fails.next()).rejects.toMatchObject([{ extensions: { code: 'SUBSCRIPTION_SCHEMA_RELOAD' } }]);
  await publish(2);
  expect(await fits.next()).toEqual({ data: { thingChanged: { version: 2 } } });
});

test('without events sockets are served too, and their subscriptions refused until a supergraph brings events', async () => {
  const nats = await startNats({ storeDir: await mkdtemp(join(tmpdir(), 'start-')), disposable: true });
  cleanUp.defer(() => nats.close());
  const connection = await connect({ servers: nats.url });
  cleanUp.defer(() => connection.close());
  await makeThingsStream(await connection.jetstreamManager());
  await connection.jetstream().publish('thing.changed.alice.a', '{"version":1}');
  const sdl = 'type Query { a: Int } type Subscription { thingChanged: Int }';
  const { supergraphSdl } = composeSupergraph([{ name: 'plain', url: 'http://plain', sdl }]);
  const router = await start(
    () => connectBroker({ servers: nats.url, name: 'router', log }),
    loadSupergraph(supergraphSdl),
  );
  expect(await readiness(router)).not.toHaveProperty('checks.nats');
  const client = clientOf(router);
  expect(await watch(client, '{ __typename }').next()).toEqual({ data: { __typename: 'Query' } });
  await expect(watch(client, 'subscription { thingChanged }').next()).rejects.toMatchObject([
    { extensions: { code: 'BAD_REQUEST' } },
  ]);
  expect(await router.reload(testSupergraph.sdl)).toBe('switched');
  const isUp = async (): Promise<boolean> => JSON.stringify(await readiness(router)).includes('"nats":"up"');
  while (!(await isUp())) await new Promise(setImmediate);
  const events = watch(client, 'subscription { thingChanged(id: "a") { version } }');
  expect(await events.next()).toEqual({ data: { thingChanged: { version: 1 } } });
});

test('without a broker it starts too, and answers what needs none', async () => {
  const router = await start(() => ({
    connection: new Promise(() => undefined),
    isConnected: () => false,
    onConnect: () => () => undefined,
    onDisconnect: () => () => undefined,
    close: () => Promise.resolve(),
  }));
  expect(await readiness(router)).toMatchObject({ checks: { nats: 'down' } });
  const response = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":"{ __typename }"}',
  });
  expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
});
