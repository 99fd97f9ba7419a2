// G4: every order comes to exactly one end, and money taken is food delivered or money returned, whatever dies. A short schedule of
// faults over the real stack; `npm run faults` runs long ones.
import { expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFaults } from './run.ts';

test('G4: a short schedule of kills, stops, restarts, bad connections and a wiped store loses nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'baedal-faults-'));
  try {
    const report = await runFaults({
      folder: join(folder, 'data'),
      seed: 7,
      durationMs: 18_000,
      schedule: {
        everyMs: 1_500,
        longestMs: 3_000,
        first: ['wipe nats', 'kill order', 'kill payment-2', 'kill postgres'],
      },
      ordersPerSecond: 5,
      settleWithinMs: 90_000,
    });
    expect(report.stories.join('\n')).toBe('');
    expect(report.violations).toEqual([]);
    expect(report.orders).toBeGreaterThan(50);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 180_000);
