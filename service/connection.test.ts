// Pages over a list in memory: what `first` and `after` may be, and that walking gives each row once.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { paginate } from './connection.ts';
import type { Connection, PageArguments } from './connection.ts';

const key = z.int();

function pageOf(rows: readonly number[], args: PageArguments, totalCount = async () => rows.length) {
  const rowsAfter = async (after: number | undefined, limit: number) =>
    rows.filter((row) => after === undefined || row > after).slice(0, limit);
  return paginate(args, key, (row) => row, rowsAfter, totalCount);
}

const nodes = (connection: Connection<number>): number[] => connection.edges.map(({ node }) => node);

test('walking the pages gives each row once, in order, whatever the page size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer(), { maxLength: 50 }),
      fc.integer({ min: 1, max: 100 }),
      async (ids, first) => {
        const rows = ids.sort((a, b) => a - b);
        const seen: number[] = [];
        let after: string | null = null;
        for (let pages = 0; pages <= rows.length; pages += 1) {
          const page: Connection<number> = await pageOf(rows, { first, after });
          seen.push(...nodes(page));
          expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
          expect(page.pageInfo.hasNextPage).toBe(seen.length < rows.length);
          expect(page.pageInfo.startCursor).toBe(page.edges.at(0)?.cursor ?? null);
          expect(page.pageInfo.endCursor).toBe(page.edges.at(-1)?.cursor ?? null);
          if (!page.pageInfo.hasNextPage) break;
          after = page.pageInfo.endCursor;
        }
        expect(seen).toEqual(rows);
      },
    ),
  );
});

test('a page has 20 rows unless told otherwise', async () => {
  const rows = Array.from({ length: 30 }, (_, index) => index);
  expect(nodes(await pageOf(rows, {}))).toHaveLength(20);
  expect(nodes(await pageOf(rows, { first: null, after: null }))).toHaveLength(20);
});

test.each([0, -1, 101, 2_147_483_647])('`first: %d` is refused', async (first) => {
  await expect(pageOf([1], { first })).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
    extensions: { argument: 'first' },
  });
});

const foreign = ['', 'x', '!!', '"1"', '{"id":1}', 'null', '[1]', '1.5'];
test.each([...foreign, ...foreign.map((text) => Buffer.from(text).toString('base64url'))])(
  'the cursor "%s" is refused, as it is none of this list',
  async (after) => {
    await expect(pageOf([1, 2], { after })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      extensions: { argument: 'after' },
    });
  },
);

test('any text as a cursor is a page or BAD_USER_INPUT, never another error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (after) => {
      const page = await pageOf([1, 2, 3], { after }).catch((error: unknown) => error);
      expect(page).toEqual(
        expect.objectContaining(page instanceof Error ? { code: 'BAD_USER_INPUT' } : { edges: expect.any(Array) }),
      );
    }),
  );
});

test('the total is counted only when asked for', async () => {
  let counted = 0;
  const page = await pageOf([1, 2, 3], { first: 1 }, async () => (counted += 1));
  expect(counted).toBe(0);
  await page.totalCount();
  expect(counted).toBe(1);
});
