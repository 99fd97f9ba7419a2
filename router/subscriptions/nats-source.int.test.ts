// How streams of a real broker are told apart: one that was restarted from one that was made anew.
import { expect, test } from '@jest/globals';
import { connect } from 'nats';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../../dev/nats.ts';
import { createLog } from '../../service/log.ts';
import { connectBroker } from '../../service/nats.ts';
import { createNatsSource } from './nats-source.ts';
import { makeThingsStream } from './test-live.ts';

test('a stream keeps its identity over restarts and changes, and one made anew under its name has another', async () => {
  const storeDir = await mkdtemp(join(tmpdir(), 'source-'));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rm(storeDir, { recursive: true, force: true }));
  const nats = await startNats({ storeDir, disposable: true });
  opened.defer(() => nats.close());
  const log = createLog('test', 'silent');
  const broker = connectBroker({ servers: nats.url, name: 'test', log });
  opened.defer(() => broker.close());
  const source = createNatsSource(broker, log);
  const admin = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
  opened.defer(() => admin.close());
  const { streams } = await admin.jetstreamManager();
  const restart = async (): Promise<void> => {
    const { promise: isBack, resolve } = Promise.withResolvers<void>();
    const stop = source.onReconnect(resolve);
    await nats.process.restart();
    await isBack;
    stop();
    await admin.flush();
  };

  await makeThingsStream(await admin.jetstreamManager());
  await admin.jetstream().publish('thing.changed.alice.a', '{}');
  await broker.connection;
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
}, 60_000);
