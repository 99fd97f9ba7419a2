// How many operations one viewer, and one address, may start. A token bucket kept as one number for each key (GCRA), without timers
// and for a bounded number of keys; what libraries for Node offer in memory holds a timer for each key, and as many as come.
import type { BlockList } from 'node:net';
import type { IncomingMessage } from 'node:http';
import { CodedError } from '../service/errors.ts';
import { clientAddress } from './client-address.ts';

export interface RateLimitOptions {
  /** Operations a second that an address may start in the long run; 0: as many as it likes. */
  readonly perAddress: number;
  /** The same for a viewer, over all their addresses. */
  readonly perViewer: number;
  /** Seconds of the rate that may be used at once. */
  readonly burstSeconds: number;
  readonly trustedProxies: BlockList;
  /** Milliseconds on a clock that only goes forward. */
  readonly now?: () => number;
}

export interface RateLimits {
  /** The address that a request counts for; undefined when addresses are not limited. */
  addressOf(request: Pick<IncomingMessage, 'headers' | 'socket'>): string | undefined;
  /** Takes operations from what an address may start. @throws CodedError RATE_LIMITED with `retryAfter` in seconds */
  takeFromAddress(address: string | undefined, operations?: number): void;
  /** Takes one operation from what a viewer may start; anonymous viewers are limited by address only. @throws the same */
  takeFromViewer(sub: string | undefined): void;
}

/** Keys that are remembered for each limit. */
const maxKeys = 100_000;

export function createRateLimits(options: RateLimitOptions): RateLimits {
  const { perAddress, perViewer, burstSeconds, trustedProxies, now = () => performance.now() } = options;
  const addresses = createBuckets(perAddress, burstSeconds, now);
  const viewers = createBuckets(perViewer, burstSeconds, now);
  return {
    addressOf: (request) => (perAddress === 0 ? undefined : clientAddress(request, trustedProxies)),
    takeFromAddress(address, operations = 1) {
      if (address !== undefined) refuseUntil(addresses(address, operations));
    },
    takeFromViewer(sub) {
      if (sub !== undefined) refuseUntil(viewers(sub, 1));
    },
  };
}

/** Takes from a bucket; gives the milliseconds to wait when there is not enough in it, and takes nothing then. */
type Take = (key: string, amount: number) => number;

function createBuckets(perSecond: number, burstSeconds: number, now: () => number): Take {
  if (perSecond === 0) return () => 0;
  const interval = 1000 / perSecond;
  /** How far ahead of the clock a key may be: one operation at least, whatever the rate. */
  const ahead = Math.max(interval, burstSeconds * 1000);
  /** When each bucket is full again; those asked for last come last. */
  const fullAt = new Map<string, number>();

  return (key, amount) => {
    const time = now();
    const next = Math.max(time, fullAt.get(key) ?? 0) + amount * interval;
    // Rounding must not refuse the last one of a burst.
    const wait = next - time - ahead;
    if (wait > interval / 1000) return wait;
    fullAt.delete(key);
    fullAt.set(key, next);
    if (fullAt.size > maxKeys) forget(fullAt);
    return 0;
  };
}

/** Who has not asked for longest starts anew. */
function forget(keys: Map<string, number>): void {
  const oldest = keys.keys().next();
  if (oldest.done !== true) keys.delete(oldest.value);
}

function refuseUntil(milliseconds: number): void {
  if (milliseconds > 0) {
    throw new CodedError('RATE_LIMITED', undefined, { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) });
  }
}
