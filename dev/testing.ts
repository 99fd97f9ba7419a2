// What integration tests stand on: real PostgreSQL, real NATS and an issuer, in a folder that is gone afterwards.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';
import { startNats } from './nats.ts';
import type { Nats } from './nats.ts';
import { startPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';

export interface Infrastructure {
  readonly folder: string;
  readonly postgres: Postgres;
  readonly nats: Nats;
  readonly issuer: Issuer;
  close(): Promise<void>;
}

/** Starts them side by side; takes about a second. */
export async function startInfrastructure(): Promise<Infrastructure> {
  const folder = await mkdtemp(join(tmpdir(), 'baedal-test-'));
  const [postgres, nats, issuer] = await Promise.all([
    startPostgres({ dataDir: join(folder, 'postgres'), disposable: true }),
    startNats({ storeDir: join(folder, 'nats'), disposable: true }),
    openIssuer(join(folder, 'issuer')),
  ]);
  return {
    folder,
    postgres,
    nats,
    issuer,
    async close() {
      await Promise.all([postgres.close(), nats.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Asks until `probe` gives something other than undefined or false, and gives that. For what shows itself only by being asked
 * (a row, a counter); what is announced is waited for by its event instead. The time-out says nothing of how fast it should be: it ends
 * a test that waits in vain, and names what for.
 */
export async function eventually<T>(probe: () => Promise<T | undefined | false>, timeoutMs = 50_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`did not happen in ${String(timeoutMs)} ms: ${probe.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
