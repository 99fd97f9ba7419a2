// Paths through the tree, as the planner writes them, and the one node that is not executed.
import { describe, expect, test } from '@jest/globals';
import { collect, compilePath, locate, startsWith } from './path.ts';

const book = { __typename: 'Book', author: { name: 'b' } };
const film = { __typename: 'Film', author: { name: 'f' } };
const data = { shelves: [{ items: [[book, null], [film]] }, null, { items: null }], top: book };

describe('a path', () => {
  test('leads through lists of lists and passes nulls over', () => {
    expect(collect(data, compilePath(['shelves', '@', 'items', '@', '@', 'author']))).toEqual([
      { name: 'b' },
      { name: 'f' },
    ]);
  });

  test('may be for some types only, at any element', () => {
    expect(collect(data, compilePath(['shelves', '@', 'items', '@', '@|[Film,Song]', 'author']))).toEqual([
      film.author,
    ]);
    expect(collect(data, compilePath(['', 'top|[Film]', 'author']))).toEqual([]);
    expect(collect(data, compilePath(['', 'top|[Book]']))).toEqual([book]);
  });

  test('tells where each object stands, and below what', () => {
    const places = locate(data, compilePath(['shelves', '@', 'items', '@', '@', 'author']));
    expect(places.map(({ path }) => path)).toEqual([
      ['shelves', 0, 'items', 0, 0, 'author'],
      ['shelves', 0, 'items', 1, 0, 'author'],
    ]);
    expect(places[1]?.ancestors.at(-1)).toBe(film);
  });

  test('of nothing is the root', () => {
    expect(collect(data, compilePath([]))).toEqual([data]);
  });

  test('starts with another, whatever their types', () => {
    const path = compilePath(['a', '@', 'b|[X]', 'c']);
    expect(startsWith(path, compilePath(['a', '@', 'b']))).toBe(true);
    expect(startsWith(path, path)).toBe(true);
    expect(startsWith(path, compilePath(['a', 'b']))).toBe(false);
    expect(startsWith(compilePath(['a']), path)).toBe(false);
  });
});
