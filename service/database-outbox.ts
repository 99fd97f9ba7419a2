// The SQL over the outbox that an ORM has no words for, correct on every engine: who may publish which rows, and what is published.
import { runStatement } from './database-prepared.ts';
import { forUpdate } from './database.ts';
import type { Database, EntityManager } from './database.ts';
import { firstStoredHeader } from './nats.ts';
import { OutboxMessage, RelayLock } from './outbox.ts';

/**
 * Of `aggregates`, those with rows that are not published and not on their way here. They are locked by the transaction of `em`, so
 * none can be added until it commits.
 * @param isUnderWay whether this process is publishing a row. A claim alone does not say so: its transaction may be seen here before
 *   its own process hears that it was committed.
 */
export async function aggregatesWithEarlierRows(
  em: EntityManager,
  stream: string,
  me: string,
  aggregates: readonly string[],
  isUnderWay: (seq: number) => boolean,
): Promise<ReadonlySet<string>> {
  if (aggregates.length === 0) return new Set();
  const { rows } = await runStatement<{ aggregate_id: string; mine: string | number | null }>(
    em,
    `select aggregate_id, case when claimed_by = ? and claimed_until >= ? then seq end as mine from outbox
     where stream = ? and aggregate_id in (${aggregates.map(() => '?').join(', ')}) and published_at is null`,
    [me, new Date(), stream, ...aggregates],
    aggregates.length,
  );
  const waiting = rows.filter(({ mine }) => mine === null || !isUnderWay(Number(mine)));
  return new Set(waiting.map((row) => row.aggregate_id));
}

/** Takes the oldest unpublished rows that nobody has, nor stand behind rows that somebody has. Relays take turns at it by a row lock. */
export async function claimRows(
  database: Database,
  claim: { readonly stream: string; readonly me: string; readonly leaseMs: number; readonly limit: number },
): Promise<OutboxMessage[]> {
  const { stream, me } = claim;
  return database.read().transactional(async (em) => {
    // Claims need no durability of their own: a lost one only means publishing again, and the broker knows that by its id.
    await database.engine.relaxDurability(em);
    await em.findOneOrFail(RelayLock, { stream }, forUpdate);
    const now = new Date();
    // Not a join of each row with the earlier ones of its aggregate: after the loss of a stream nearly all rows are unpublished while
    // the planner still believes that hardly any are, and it would compare each with each. A whole aggregate is left alone instead.
    const rows = await em.execute<{ seq: string | number }[]>(
      `select seq from outbox
       where stream = ? and published_at is null and (claimed_until is null or claimed_until < ?)
         and aggregate_id not in (select aggregate_id from outbox
                                  where stream = ? and published_at is null and claimed_until >= ?)
       order by seq limit ${String(claim.limit)}`,
      [stream, now, stream, now],
    );
    if (rows.length === 0) return [];
    const seqs = rows.map((row) => Number(row.seq));
    const claimedUntil = new Date(now.getTime() + claim.leaseMs);
    await em.nativeUpdate(OutboxMessage, { seq: { $in: seqs } }, { claimedBy: me, claimedUntil });
    return em.find(OutboxMessage, { seq: { $in: seqs } }, { orderBy: { seq: 'asc' } });
  });
}

/**
 * Writes down where rows were stored, all in one statement, unless the stream was found to have lost messages since it was looked at:
 * what was stored before may be lost then, and marked it would never be published again. The lock makes this wait for a relay that
 * is looking just now.
 * @param rows sequence in the stream by sequence in the outbox.
 * @param generation of the stream when it was last looked at.
 * @returns whether they were marked.
 */
export async function markStored(
  database: Database,
  stream: string,
  generation: number,
  rows: ReadonlyMap<number, number>,
): Promise<boolean> {
  const published = new Date();
  const pairs = [...rows].flat();
  const em = database.read();
  const { affected } =
    database.engine.name === 'postgresql'
      ? await runStatement(
          em,
          `update outbox o set published_at = ?, stream_seq = v.stream_seq, claimed_by = null, claimed_until = null
           from (values ${[...rows].map(() => '(?::bigint, ?::bigint)').join(', ')}) as v (seq, stream_seq),
             (select generation from outbox_relay where stream = ? for key share) as known
           where o.seq = v.seq and known.generation = ?`,
          [published, ...pairs, stream, generation],
          rows.size,
        )
      : await runStatement(
          em,
          `update outbox o
           join (${[...rows].map(() => 'select ? as seq, ? as stream_seq').join(' union all ')}) v on o.seq = v.seq
           join (select generation from outbox_relay where stream = ? lock in share mode) known on known.generation = ?
           set o.published_at = ?, o.stream_seq = v.stream_seq, o.claimed_by = null, o.claimed_until = null`,
          [...pairs, stream, generation, published],
        );
  return affected > 0;
}

/**
 * Makes those rows unpublished again that a stream has lost: all that it stored behind `intact`. Each notes in its headers where it
 * was stored at first.
 * @param streamCreated when the stream that has lost them was made.
 * @returns how many they are.
 */
export async function takeBack(
  { engine }: Database,
  em: EntityManager,
  {
    stream,
    streamCreated,
    intact,
  }: { readonly stream: string; readonly streamCreated: string; readonly intact: number },
): Promise<number> {
  // A place that is noted already stays. MariaDB assigns from left to right, so the headers come first.
  const noted =
    engine.name === 'postgresql'
      ? `jsonb_build_object('${firstStoredHeader}', ?::text || stream_seq) || headers`
      : `json_insert(headers, '$."${firstStoredHeader}"', concat(?, stream_seq))`;
  const { affectedRows } = await em.execute<{ affectedRows: number }>(
    `update outbox set headers = ${noted}, published_at = null, stream_seq = null, claimed_by = null, claimed_until = null
     where stream = ? and stream_seq > ?`,
    [`${stream} ${streamCreated} `, stream, intact],
    'run',
  );
  return affectedRows;
}
