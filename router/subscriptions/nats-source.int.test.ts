// How streams of a real broker are told apart: one that was restarted from one that was made anew.
import { expect, test } from '@jest/globals';
import { connect } from 'nats';
import type { NatsConnection } from 'nats';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { createLog } from '../../service/log.ts';
import { connectBroker } from '../../service/nats.ts';
import { createNatsSource } from './nats-source.ts';
import type { Source, StreamMessage } from './source.ts';
import { makeThingsStream } from './test-live.ts';

interface Started {
  readonly nats: Nats;
  readonly source: Source;
  readonly admin: NatsConnection;
}

/** A broker with an empty stream, and a source that is connected to it. */
async function start(opened: AsyncDisposableStack): Promise<Started> {
  const storeDir = await mkdtemp(join(tmpdir(), 'source-'));
  opened.defer(() => rm(storeDir, { recursive: true, force: true }));
  const nats = await startNats({ storeDir, disposable: true });
  opened.defer(() => nats.close());
  const log = createLog('test', 'silent');
  const broker = connectBroker({ servers: nats.url, name: 'test', log });
  opened.defer(() => broker.close());
  const source = createNatsSource(broker, log);
  const admin = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
  opened.defer(() => admin.close());
  await makeThingsStream(await admin.jetstreamManager());
  await broker.connection;
  return { nats, source, admin };
}

test('a stream can be watched and read before its first message, which then comes live', async () => {
  await using opened = new AsyncDisposableStack();
  const { source, admin } = await start(opened);
  const { promise: first, resolve: receive } = Promise.withResolvers<StreamMessage>();
  const subject = 'thing.changed.alice.a';
  const watch = await source.watch('THINGS', subject, subject, { receive });
  expect(await source.describe('THINGS')).toMatchObject({ lastSequence: 0 });
  expect(await source.last('THINGS', subject)).toBeUndefined();
  expect(await source.next('THINGS', 'thing.changed.>', 1)).toBeUndefined();
  await admin.jetstream().publish(subject, '{}');
  expect(await first).toMatchObject({ subject, sequence: 1, previous: 0 });
  watch.remove(subject, { receive });
});

test('a stream keeps its identity over restarts and changes, and one made anew under its name has another', async () => {
  await using opened = new AsyncDisposableStack();
  const { nats, source, admin } = await start(opened);
  const { streams } = await admin.jetstreamManager();
  const restart = async (): Promise<void> => {
    const { promise: isBack, resolve } = Promise.withResolvers<void>();
    const stop = source.onReconnect(resolve);
    await nats.process.restart();
    await isBack;
    stop();
    await admin.flush();
  };

  await admin.jetstream().publish('thing.changed.alice.a', '{}');
  const { identity } = await source.describe('THINGS');
  await restart();
  // The broker notes the time of its restart with the change, and tells it as that of the stream's making from the next one on.
  const { config } = await streams.info('THINGS');
  await streams.update('THINGS', { ...config, max_age: 3_600_000_000_000 });
  await restart();
  expect((await source.describe('THINGS')).identity).toBe(identity);

  await streams.delete('THINGS');
  await makeThingsStream(await admin.jetstreamManager());
  await admin.jetstream().publish('thing.changed.alice.a', '{}');
  expect((await source.describe('THINGS')).identity).not.toBe(identity);
});
