// G7: JetStream's storage may be destroyed at any moment and nothing is lost.
import { expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFaults } from './run.ts';

test('G7: wiping the JetStream store again and again under load loses nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'baedal-wipe-'));
  try {
    const report = await runFaults({
      folder: join(folder, 'data'),
      seed: 3,
      durationMs: 12_000,
      schedule: { everyMs: 3_500, longestMs: 2_000, only: /^wipe/ },
      ordersPerSecond: 8,
      settleWithinMs: 90_000,
    });
    expect(report.stories.join('\n')).toBe('');
    expect(report.violations).toEqual([]);
    expect(report.faults.wipe).toBeGreaterThan(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 180_000);
