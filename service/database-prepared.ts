// Statements that PostgreSQL prepares once for each connection: those that every order passes. Reading and planning them anew each time
// took half of its processor time.
import { CompiledQuery } from 'kysely';
import { engineOfDriver } from './database-engines.ts';
import type { EntityManager } from './database.ts';

export interface StatementResult<Row> {
  readonly rows: readonly Row[];
  /** How many rows it changed. */
  readonly affected: number;
}

/**
 * Runs a statement, with `?` where its parameters go, in the transaction of `em` if it has one.
 * @param size how many rows its text is written for. For more than one it is not prepared: a connection keeps each text for good, and each
 *   plan until the tables are analysed again, so what is right for several rows of a small table would be kept while it grows.
 */
export async function runStatement<Row>(
  em: EntityManager,
  sql: string,
  parameters: readonly unknown[],
  size = 1,
): Promise<StatementResult<Row>> {
  if (!prepares(em) || size > 1) {
    const { rows = [], affectedRows } = await em.execute<{ rows?: Row[]; affectedRows: number }>(
      sql,
      [...parameters],
      'run',
    );
    return { rows, affected: affectedRows };
  }
  em.config.get('onQuery')(sql, parameters);
  try {
    const { rows, numAffectedRows = 0n } = await em
      .getKysely()
      .executeQuery<Row>(CompiledQuery.raw(numbered(sql), [...parameters]));
    return { rows, affected: Number(numAffectedRows) };
  } catch (error) {
    throw em.getDriver().convertException(error as Error);
  }
}

/** Whether statements are prepared on the engine of `em`. */
export const prepares = (em: EntityManager): boolean => engineOfDriver(em.getDriver()) === 'postgresql';

const numberedTexts = new Map<string, string>();

/** PostgreSQL's own form of the parameters: `$1`, `$2`… */
function numbered(sql: string): string {
  const known = numberedTexts.get(sql);
  if (known !== undefined) return known;
  let count = 0;
  const text = sql.replaceAll('?', () => `$${String((count += 1))}`);
  numberedTexts.set(sql, text);
  return text;
}
