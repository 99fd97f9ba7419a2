// Relay connections by keyset: the cursor holds the key of its row, so page 1,000 costs what page 1 costs.
import type { z } from 'zod';
import { CodedError } from './errors.ts';

export interface Connection<Node> {
  readonly edges: readonly { readonly node: Node; readonly cursor: string }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  /** Run only when the client asks for it. */
  readonly totalCount: () => Promise<number>;
}

export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
}

/**
 * One page of rows that are sorted by a unique key.
 * @param key the shape of the key, for checking cursors from outside.
 * @param keyOf the key of a row.
 * @param rowsAfter gives up to `limit` rows behind `key`, from the start when it is undefined.
 * @throws CodedError BAD_USER_INPUT for a `first` outside 1..100 or a foreign cursor.
 */
export async function paginate<Row, Key>(
  args: PageArguments,
  key: z.ZodType<Key>,
  keyOf: (row: Row) => Key,
  rowsAfter: (key: Key | undefined, limit: number) => Promise<Row[]>,
  totalCount: () => Promise<number>,
): Promise<Connection<Row>> {
  const first = args.first ?? 20;
  if (first < 1 || first > 100) {
    throw new CodedError('BAD_USER_INPUT', '`first` must be 1 to 100.', { argument: 'first' });
  }
  const after = args.after ?? undefined;
  // One row more than asked for tells whether there is a next page.
  const rows = await rowsAfter(after === undefined ? undefined : readCursor(key, after), first + 1);
  const edges = rows.slice(0, first).map((node) => ({ node, cursor: writeCursor(keyOf(node)) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: rows.length > first,
      hasPreviousPage: after !== undefined,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount,
  };
}

const writeCursor = (key: unknown): string => Buffer.from(JSON.stringify(key)).toString('base64url');

function readCursor<Key>(schema: z.ZodType<Key>, cursor: string): Key {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new CodedError('BAD_USER_INPUT', '`after` is not a cursor of this list.', { argument: 'after' });
  }
}
