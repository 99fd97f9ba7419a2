// The promise as a whole: whatever restarts and whoever disconnects, each subscriber's record is the thing's timeline, without gap or repeat.
import { expect, test } from '@jest/globals';
import { connect } from 'nats';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { startNats } from '../../dev/nats.ts';
import { makeThingsStream, startTestLive, tokenOf } from './test-live.ts';
import type { TestLive } from './test-live.ts';

const things = 200;
const subscribersOfEach = 5;
const versions = 100;

/** A repeatable source of chance (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Message {
  readonly type: string;
  readonly payload?: {
    readonly data?: { readonly thingChanged: { readonly cursor: string; readonly version: number } };
  };
}

/** Watches one thing to its last version over as many connections as it takes; returns every version in the order it came. */
async function record(id: string, random: () => number, url: () => string): Promise<number[]> {
  const seen: number[] = [];
  let after: string | undefined;
  const token = tokenOf('alice');
  const query = 'subscription ($id: ID!, $after: String) { thingChanged(id: $id, after: $after) { cursor version } }';
  while (seen.at(-1) !== versions) {
    // How many results this connection lives for; some are cut while they subscribe.
    let left = Math.floor(random() * 60);
    const abrupt = random() < 0.5;
    await new Promise<void>((resolve) => {
      const socket = new WebSocket(url(), 'graphql-transport-ws');
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      socket.on('open', () => {
        socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: token } }));
      });
      socket.on('message', (data: Buffer) => {
        const { type, payload } = JSON.parse(data.toString()) as Message;
        if (type === 'connection_ack') {
          socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { id, after } } }));
          if (left === 0) socket.terminate();
        } else if (type === 'next' && payload?.data !== undefined && socket.readyState === WebSocket.OPEN) {
          after = payload.data.thingChanged.cursor;
          seen.push(payload.data.thingChanged.version);
          left -= 1;
          if (left > 0 && seen.at(-1) !== versions) return;
          if (abrupt) socket.terminate();
          else socket.close();
        } else if (type === 'error') {
          // The broker is away: try again.
          socket.close();
        }
      });
    });
    await new Promise(setImmediate);
  }
  return seen;
}

test('1,000 subscribers that disconnect at random record 20,000 events over restarts of the router and the broker', async () => {
  const broker = await startNats({ storeDir: await mkdtemp(join(tmpdir(), 'live-')), disposable: true });
  const admin = await connect({ servers: broker.url });
  await makeThingsStream(await admin.jetstreamManager());
  await admin.close();
  const limits = { maxConnectionsPerViewer: 10_000, maxSubscriptionsPerViewer: 10_000, drainMs: 20 };
  const writer = await startTestLive({ natsUrl: broker.url });
  let router: TestLive = await startTestLive({ natsUrl: broker.url, limits });
  const random = chance(20_261_122);
  const ids = Array.from({ length: things }, (_, index) => `thing-${String(index)}`);
  await Promise.all(ids.map((id) => writer.publish('alice', id, 1)));

  const records = ids.flatMap((id) =>
    Array.from({ length: subscribersOfEach }, () => record(id, random, () => router.url)),
  );
  for (let version = 2; version <= versions; version += 1) {
    await Promise.all(ids.map((id) => writer.publish('alice', id, version)));
    if (version % 30 === 0) {
      const before = router;
      router = await startTestLive({ natsUrl: broker.url, limits });
      await before.close();
    }
    if (version % 40 === 0) {
      await broker.process.kill('SIGKILL');
      await broker.process.ready();
    }
  }

  for (const seen of await Promise.all(records)) {
    // The first version is the one that was present; every later one follows, once.
    const first = seen[0] ?? 0;
    expect(seen).toEqual(Array.from({ length: versions - first + 1 }, (_, index) => first + index));
  }
  while ((await router.value('subscriptions')) > 0 || (await router.value('topics')) > 0)
    await new Promise(setImmediate);
  await router.close();
  await writer.close();
  await broker.close();
}, 300_000);
