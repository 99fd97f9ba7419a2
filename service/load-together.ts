// Rows that the code asks for one by one and the database is asked for together: all of one tick come with one statement.
import type { EntityManager } from './database.ts';

/**
 * Reads rows by their keys. Where it locks them, it must do so in the order of the keys: then transactions that lock several never wait
 * for each other in a circle.
 */
export type LoadRows<Row> = (em: EntityManager, keys: readonly string[]) => Promise<ReadonlyMap<string, Row>>;

interface Load {
  readonly keys: Set<string>;
  readonly rows: Promise<ReadonlyMap<string, unknown>>;
}

/** What was asked for in this tick, by transaction and by what reads it. */
const gathering = new WeakMap<EntityManager, Map<LoadRows<unknown>, Load>>();

/** Gives the row of `key`, read by `load` together with the others of this tick; null when there is none. */
export async function loadTogether<Row>(em: EntityManager, load: LoadRows<Row>, key: string): Promise<Row | null> {
  const loads = gathering.get(em) ?? new Map<LoadRows<unknown>, Load>();
  gathering.set(em, loads);
  const started = loads.get(load) ?? start(em, load, loads);
  started.keys.add(key);
  return ((await started.rows).get(key) as Row | undefined) ?? null;
}

function start(em: EntityManager, load: LoadRows<unknown>, loads: Map<LoadRows<unknown>, Load>): Load {
  const keys = new Set<string>();
  const rows = Promise.resolve().then(() => {
    loads.delete(load);
    return load(em, [...keys]);
  });
  const started = { keys, rows };
  loads.set(load, started);
  return started;
}
