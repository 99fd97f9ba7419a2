// graphql-transport-ws end to end inside one process: real sockets, the real client, a real broker.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from 'nats';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { makeThingsStream, startTestLive, tokenOf, watch } from './test-live.ts';
import type { TestLive, TestLiveOptions } from './test-live.ts';

let broker: Nats;
let live: TestLive | undefined;

beforeAll(async () => {
  broker = await startNats({ storeDir: await mkdtemp(join(tmpdir(), 'live-')), disposable: true });
});
afterAll(() => broker.close());
afterEach(async () => {
  await live?.close();
  live = undefined;
});

async function start(options: Partial<TestLiveOptions> = {}): Promise<TestLive> {
  const nats = await connect({ servers: broker.url });
  const manager = await nats.jetstreamManager();
  await manager.streams.delete('THINGS').catch(() => undefined);
  await makeThingsStream(manager);
  await nats.close();
  return (live = await startTestLive({ natsUrl: broker.url, ...options }));
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
