// For test files: one broker for all of their tests, and a live side for each test, both ended with them.
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { renewThingsStream, startTestLive } from './test-live.ts';
import type { TestLive, TestLiveOptions } from './test-live.ts';

/** Call it at the top of a file. Gives what starts the live side of a test, over an empty stream; once in each test. */
export function liveOnBroker(): (options?: Partial<TestLiveOptions>) => Promise<TestLive> {
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
  return async (options = {}) => {
    await renewThingsStream(broker.url);
    return (live = await startTestLive({ natsUrl: broker.url, ...options }));
  };
}
