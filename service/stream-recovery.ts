// Recovery from the loss of JetStream's storage (G7): the outbox keeps what was published, and publishes again what a stream has lost.
import type { StreamName } from '../schema/events.ts';
import { takeBack } from './database-outbox.ts';
import { forUpdate } from './database.ts';
import type { EntityManager } from './database.ts';
import { ensureStream, isNotFound } from './nats.ts';
import { OutboxMessage, RelayLock } from './outbox.ts';
import type { RelayOptions } from './relay.ts';

/**
 * Makes sure that the stream exists and still holds what the outbox says was stored. A stream made anew, or one that lost its
 * end, gets the lost part again, in order; consumers know repeats by their inbox.
 * @returns the stream's generation, in which rows that are stored from now on are marked.
 */
export async function verifyStream({ database, broker, stream, streamSettings, log }: RelayOptions): Promise<number> {
  const manager = await (await broker.connection).jetstreamManager({ checkAPI: false });
  const info = await ensureStream(manager, stream, streamSettings);
  const holds = async (seq: number, id: string): Promise<boolean> => {
    try {
      const message = await manager.streams.getMessage(stream, { seq });
      return message.header.get('Nats-Msg-Id') === id;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  };
  // The broker is asked inside the transaction, against our rule: the lock keeps every relay from publishing meanwhile.
  return database.transaction(async (em) => {
    await em
      .createQueryBuilder(RelayLock)
      .insert({ stream, streamCreated: null, generation: 1 })
      .onConflict('stream')
      .ignore()
      .execute('run');
    const known = await em.findOneOrFail(RelayLock, { stream }, forUpdate);
    const created = info.created;
    const newest = await em.findOne(
      OutboxMessage,
      { stream, streamSeq: { $ne: null } },
      { orderBy: { streamSeq: 'desc' } },
    );
    // Only what it holds tells: nats-server 2.9 may give a stream another age when it restarts.
    if (newest !== null && !(await holds(newest.streamSeq ?? 0, newest.id))) {
      const madeAnew = known.streamCreated !== created;
      // Publishing since the loss may have used its sequences again: find the last row that is really there.
      const intact = madeAnew ? 0 : await lastIntact(em, stream, newest.streamSeq ?? 0, holds);
      const lost = await takeBack(database, em, { stream, streamCreated: known.streamCreated ?? created, intact });
      log.warn({ stream, lost, intact }, 'the stream has lost messages: publishing them again');
      known.generation += 1;
    }
    known.streamCreated = created;
    return known.generation;
  });
}

/** The highest stream sequence whose row is still stored: what is lost is always the end, so halving finds it. */
async function lastIntact(
  em: EntityManager,
  stream: StreamName,
  highest: number,
  holds: (seq: number, id: string) => Promise<boolean>,
): Promise<number> {
  let low = 0;
  let high = highest;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const row = await em.findOne(
      OutboxMessage,
      { stream, streamSeq: { $lte: middle, $gt: low } },
      { orderBy: { streamSeq: 'desc' } },
    );
    if (row === null || (await holds(row.streamSeq ?? 0, row.id))) low = middle;
    else high = (row.streamSeq ?? 1) - 1;
  }
  return low;
}
