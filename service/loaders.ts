// Loaders of rows: one query for all keys that are asked for in one tick, and what a viewer gets to see of the rows.
import DataLoader from 'dataloader';

/** Rows by key, as one viewer sees them; null for those that are not there or not for this viewer. */
export interface Loader<Row> {
  load(key: string): Promise<Row | null>;
  /** What it is after a change. */
  loadAgain(key: string): Promise<Row | null>;
}

/** All rows, whoever asks; not to be handed to a resolver without `visible`. */
export type RowLoader<Row> = DataLoader<string, Row | null>;

/** @param find the rows of some keys, in any order  @param key the property of a row that holds its key */
export function rowLoader<Key extends string, Row extends Readonly<Record<Key, string>>>(
  find: (keys: readonly string[]) => Promise<readonly Row[]>,
  key: Key,
): RowLoader<Row> {
  return new DataLoader(async (keys) => {
    const rows = new Map<string, Row>((await find(keys)).map((row) => [row[key], row]));
    return keys.map((each) => rows.get(each) ?? null);
  });
}

/** What one viewer may see of the rows: checked behind the load, so that viewers can share it. */
export function visible<Row>(rows: RowLoader<Row>, isVisible: (row: Row) => boolean): Loader<Row> {
  const shown = (row: Row | null): Row | null => (row !== null && isVisible(row) ? row : null);
  return {
    load: async (key) => shown(await rows.load(key)),
    loadAgain: async (key) => shown(await rows.clear(key).load(key)),
  };
}
