// The breaking-change report: what breaks a client fails, unless excused with a reason; what may surprise one is told.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { baseCommit, compareSchemas, parseAllowed, schemaAt } from './breaking-changes.ts';

const before = `
  type Query { menu(id: ID!): Menu }
  type Menu { id: ID!, name: String! }
  enum Status { ORDERED }
`;
const none = new Map<string, string>();

describe('a change of the public schema', () => {
  test('that adds a field or a type is no matter', () => {
    const after = before.replace('name: String!', 'name: String!, price: Int').concat('type Money { amount: Int! }');
    expect(compareSchemas(before, after, none)).toEqual({ breaking: [], allowed: [], dangerous: [] });
  });

  test.each([
    ['a removed field', before.replace(', name: String!', ''), 'FIELD_REMOVED: Menu.name was removed.'],
    [
      'a result that may now be null',
      before.replace('name: String!', 'name: String'),
      'FIELD_CHANGED_KIND: Menu.name changed type from String! to String.',
    ],
    [
      'a new required argument',
      before.replace('(id: ID!)', '(id: ID!, shop: ID!)'),
      'REQUIRED_ARG_ADDED: A required arg shop on Query.menu was added.',
    ],
    [
      'a removed enum value',
      before.replace('ORDERED', 'PAID'),
      'VALUE_REMOVED_FROM_ENUM: ORDERED was removed from enum type Status.',
    ],
  ])('%s is breaking', (_, after, change) => {
    expect(compareSchemas(before, after, none).breaking).toEqual([change]);
  });

  test('a new enum value is dangerous, not breaking', () => {
    const changes = compareSchemas(before, before.replace('ORDERED', 'ORDERED PAID'), none);
    expect(changes.breaking).toEqual([]);
    expect(changes.dangerous).toEqual(['VALUE_ADDED_TO_ENUM: PAID was added to enum type Status.']);
  });

  test('a breaking change passes when the allow-list names it, with its reason', () => {
    const allowed = parseAllowed('# why\n\nFIELD_REMOVED: Menu.name was removed. # it was never filled\n');
    const changes = compareSchemas(before, before.replace(', name: String!', ''), allowed);
    expect(changes.breaking).toEqual([]);
    expect(changes.allowed).toEqual(['FIELD_REMOVED: Menu.name was removed. (it was never filled)']);
  });

  test('an allow-list line without a reason is refused', () => {
    expect(() => parseAllowed('FIELD_REMOVED: Menu.name was removed.')).toThrow(
      'breaking-allowed.txt:1: give the change',
    );
  });
});

describe('the base of the comparison', () => {
  let repository = '';
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.org', ...args], {
      cwd: repository,
      env: { PATH: process.env['PATH'], HOME: repository },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  const commitSchema = (text: string): string => {
    writeFileSync(join(repository, 'schema/api.graphql'), text);
    git('add', '.');
    git('commit', '-q', '-m', text);
    return git('rev-parse', 'HEAD');
  };

  beforeAll(() => {
    repository = mkdtempSync(join(tmpdir(), 'baedal-breaking-'));
  });
  afterAll(() => {
    rmSync(repository, { recursive: true });
  });

  test('is nothing outside git, main while the schema is changed, and the commit before on main itself', async () => {
    expect(await baseCommit(repository)).toBeUndefined();
    git('init', '-q', '-b', 'main');
    git('commit', '-q', '--allow-empty', '-m', 'start');
    const start = git('rev-parse', 'HEAD');
    expect(await schemaAt(start, repository)).toBeUndefined();

    mkdirSync(join(repository, 'schema'));
    const first = commitSchema('first');
    expect(await baseCommit(repository)).toBe(start);
    const second = commitSchema('second');
    expect(await baseCommit(repository)).toBe(first);
    expect(await schemaAt(first, repository)).toBe('first');

    writeFileSync(join(repository, 'schema/api.graphql'), 'third');
    expect(await baseCommit(repository)).toBe(second);

    git('checkout', '-q', '-b', 'feature');
    commitSchema('third');
    expect(await baseCommit(repository)).toBe(second);
  });
});
