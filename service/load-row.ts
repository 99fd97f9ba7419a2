// Reads rows that the code asks for one by one and the database is asked for together: all of one tick come with one statement.
import type { EntitySchema, FilterQuery, InferEntity, QueryOrderMap } from '@mikro-orm/core';
import { forUpdate } from './database.ts';
import type { EntityManager } from './database.ts';

type Rows<Entity> = Promise<ReadonlyMap<string, Entity>>;

/** What was asked for in this tick, by transaction, entity, column and lock. */
const gathering = new WeakMap<EntityManager, Map<string, { readonly keys: Set<string>; readonly rows: Rows<unknown> }>>();

/**
 * The row whose unique `property` is `key`; with `lock`, locked until the transaction of `em` ends. Rows of one statement are locked in
 * the order of their keys, so that transactions which lock several never wait for each other in a circle.
 */
export async function loadRow<Schema extends EntitySchema>(
  em: EntityManager,
  schema: Schema,
  property: keyof InferEntity<Schema> & string,
  key: string,
  lock: 'lock' | 'read',
): Promise<InferEntity<Schema> | null> {
  const loads = gathering.get(em) ?? new Map<string, { keys: Set<string>; rows: Rows<unknown> }>();
  gathering.set(em, loads);
  const name = `${schema.meta.name ?? ''} ${property} ${lock}`;
  const load = loads.get(name) ?? gather();
  load.keys.add(key);
  return ((await load.rows).get(key) as InferEntity<Schema> | undefined) ?? null;

  function gather() {
    const keys = new Set<string>();
    const rows = Promise.resolve().then(async () => {
      loads.delete(name);
      const where = { [property]: { $in: [...keys] } } as FilterQuery<InferEntity<Schema>>;
      const orderBy = { [property]: 'asc' } as QueryOrderMap<InferEntity<Schema>>;
      const found = await em.find(schema, where, { orderBy, ...(lock === 'lock' ? forUpdate : {}) });
      return new Map(found.map((row) => [String((row as Record<string, unknown>)[property]), row]));
    });
    const load = { keys, rows };
    loads.set(name, load);
    return load;
  }
}
