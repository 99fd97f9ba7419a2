// The end of a server's kept connections. One that is closed unasked may have a request on its way, which would be lost; so each is
// closed by its client, told by `connection: close` behind an answer, or because the client keeps none that it does not use.
import type { Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds for which our own clients keep a connection that they do not use: less than the default of DRAIN_MS. */
export const keptIdleMs = 4_000;

/** Milliseconds between two looks at who is still there. */
export const lookEveryMs = 20;

/** Resolves when nobody is connected any more, or after `ms`. */
export async function connectionsGone(server: Server, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline && (await countConnections(server)) > 0) await delay(lookEveryMs);
}

const countConnections = (server: Server): Promise<number> =>
  new Promise((resolve) => server.getConnections((error, count) => resolve(error === null ? count : 0)));
