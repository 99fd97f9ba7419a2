// Riders: they look at what is on the way and hand it over, some at once, some after a while.
import { setTimeout as pause } from 'node:timers/promises';
import { ask } from './client.ts';
import type { Random } from './random.ts';

export interface Riders {
  /** What riders were told, by delivery: it was completed, or it had been cancelled. */
  readonly told: ReadonlyMap<string, 'COMPLETED' | 'CANCELLED'>;
  stop(): Promise<void>;
}

export interface RiderOptions {
  readonly graphqlUrl: string;
  readonly token: () => Promise<string>;
  readonly random: Random;
  /** The longest way. */
  readonly longestMs: number;
}

const lookMs = 300;
const started = `query Started($after: String) {
  deliveries(first: 100, after: $after, status: STARTED) { edges { node { id } } pageInfo { hasNextPage endCursor } }
}`;
const complete = `mutation Complete($input: CompleteDeliveryInput!) {
  completeDelivery(input: $input) { delivery { id status } }
}`;
interface StartedPage {
  deliveries: {
    edges: readonly { node: { id: string } }[];
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
  };
}

export function startRiders({ graphqlUrl, token, random, longestMs }: RiderOptions): Riders {
  const told = new Map<string, 'COMPLETED' | 'CANCELLED'>();
  const underWay = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  const isOver = (): boolean => stopping.signal.aborted;

  const ride = async (deliveryId: string, afterMs: number): Promise<void> => {
    await pause(afterMs);
    for (let waitMs = 200; !isOver(); waitMs = Math.min(2 * waitMs, 5_000)) {
      const answer = await ask(graphqlUrl, await token(), complete, { input: { deliveryId } });
      if (answer.kind === 'data') return void told.set(deliveryId, 'COMPLETED');
      if (answer.kind === 'refused' && answer.code === 'DELIVERY_NOT_COMPLETABLE') {
        return void told.set(deliveryId, 'CANCELLED');
      }
      await pause(waitMs);
    }
  };

  const look = async (after: string | null): Promise<StartedPage['deliveries'] | undefined> => {
    const answer = await ask<StartedPage>(graphqlUrl, await token(), started, { after });
    return answer.kind === 'data' ? answer.data.deliveries : undefined;
  };

  const looking = (async () => {
    while (!isOver()) {
      let after: string | null = null;
      do {
        const page = await look(after);
        if (page === undefined) break;
        for (const { node } of page.edges) {
          if (underWay.has(node.id)) continue;
          const afterMs = random.chance(0.2) ? 0 : random.next() * longestMs;
          underWay.set(
            node.id,
            ride(node.id, afterMs).finally(() => underWay.delete(node.id)),
          );
        }
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      } while (after !== null && !isOver());
      await pause(lookMs);
    }
  })();

  return {
    told,
    async stop() {
      stopping.abort();
      await looking;
      await Promise.all(underWay.values());
    },
  };
}
