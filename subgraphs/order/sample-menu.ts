// The sample menu of a new shop. Fixed ids, so that loading it again changes nothing.
import type { Database } from '../../service/database.ts';
import { countMenus, insertMenu } from './persistence.ts';

/** Name and price in won. */
const dishes = [
  ['김밥', 4_000],
  ['참치김밥', 5_000],
  ['떡볶이', 4_500],
  ['라면', 4_500],
  ['비빔밥', 9_000],
  ['돌솥비빔밥', 10_000],
  ['김치찌개', 9_000],
  ['된장찌개', 8_500],
  ['불고기', 15_000],
  ['잡채', 12_000],
  ['냉면', 11_000],
  ['후라이드 치킨', 19_000],
  ['양념 치킨', 20_000],
  ['만두', 6_000],
  ['주스', 3_500],
  ['식혜', 3_000],
] as const;

/** Loads the sample menu into an empty shop; a shop that has menus is left as it is. */
export const loadSampleMenu = (database: Database, currency: string, now: Date): Promise<void> =>
  database.transaction(async (em) => {
    if ((await countMenus(em)) > 0) return;
    for (const [index, [name, price]] of dishes.entries()) {
      const id = `0190a000-0000-7000-8000-${(index + 1).toString(16).padStart(12, '0')}`;
      insertMenu(em, { id, name, price, currency, available: true, createdAt: now });
    }
  });
