// Goes over to another supergraph without dropping a request: read and checked, its most used operations planned, then switched, each
// in small steps between which requests are answered. What is broken is refused, and the present one goes on.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../service/log.ts';
import type { Operations } from './operations.ts';
import type { Supergraph } from './supergraph.ts';

export type ReloadOutcome = 'switched' | 'unchanged' | 'refused';

export interface ReloadOptions {
  /** The supergraph in force. */
  readonly present: () => Supergraph;
  /** Reads and checks one. @throws Error saying what is wrong */
  readonly load: (sdl: string) => Promise<Supergraph>;
  readonly operations: Operations;
  /** The most used operations that are planned before the switch, at most. */
  readonly warmOperations: number;
  /** Puts the next one in force, whole or not at all. @throws Error saying why not */
  readonly replace: (next: Supergraph) => void;
  readonly onOutcome: (outcome: ReloadOutcome) => void;
  readonly log: Logger;
}

export interface Reloads {
  /** Goes over to what `sdl` says. Of several that come while one is gone over to, the last is next. Never rejects. */
  offer(sdl: string): Promise<ReloadOutcome>;
  /** The file says something that is not served. */
  refused(error: unknown): void;
  /** When the last offer was refused; undefined when it is what is served. */
  refusedAt(): Date | undefined;
}

export function createReloads(options: ReloadOptions): Reloads {
  const { present, operations, log } = options;
  let refusedAt: Date | undefined;
  let newest = 0;
  let busy: Promise<unknown> = Promise.resolve();

  const refuse = (error: unknown): void => {
    refusedAt = new Date();
    options.onOutcome('refused');
    log.error({ error, serving: present().id }, 'the new supergraph is refused; the present one goes on');
  };

  const go = async (sdl: string): Promise<ReloadOutcome> => {
    try {
      const next = await options.load(sdl);
      const before = present();
      if (next.id === before.id) {
        refusedAt = undefined;
        return 'unchanged';
      }
      const warmed = await warm(before, next, operations, options.warmOperations);
      options.replace(next);
      refusedAt = undefined;
      options.onOutcome('switched');
      log.info({ from: before.id, to: next.id, ...warmed }, 'the supergraph was replaced');
      return 'switched';
    } catch (error) {
      refuse(error);
      return 'refused';
    }
  };

  return {
    offer(sdl) {
      const number = ++newest;
      const outcome = busy.then(() => (number === newest ? go(sdl) : 'unchanged'));
      busy = outcome;
      return outcome;
    },
    refused: refuse,
    refusedAt: () => refusedAt,
  };
}

/** Plans what is used most, so that the first requests after the switch find it as those before did. */
async function warm(
  before: Supergraph,
  next: Supergraph,
  operations: Operations,
  count: number,
): Promise<{ readonly planned: number; readonly unfit: number }> {
  let planned = 0;
  let unfit = 0;
  for (const { source, operationName } of operations.mostUsed(before, count)) {
    if (operations.prepare(next, source, operationName).ok) planned += 1;
    else unfit += 1;
    await nextTurn();
  }
  return { planned, unfit };
}
