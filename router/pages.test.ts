// The pages for browsers: what they are filled with, and that nothing else of the disk can be reached through them.
import { describe, expect, test } from '@jest/globals';
import { parse, validate } from 'graphql';
import { readFileSync } from 'node:fs';
import { createPages } from './pages.ts';
import { loadSupergraph } from './supergraph.ts';

const examplesFile = 'schema/examples.graphql';
const pages = createPages({ endpoint: '/graphql', examplesFile });

describe('the pages', () => {
  test('offer operations that fit the schema', () => {
    const { schema } = loadSupergraph(readFileSync('schema/supergraph.graphql', 'utf8'));
    expect(validate(schema, parse(readFileSync(examplesFile, 'utf8')))).toEqual([]);
  });

  test('hold those operations, with the defaults of their variables', () => {
    const html = String(pages.at('/graphiql')?.body);
    expect(html).toContain('"initialName":"Watch"');
    expect(html).toContain('deliveryAddress');
    expect(String(pages.sandbox().body)).toContain('subscription Watch');
  });

  test('work without any operation', () => {
    const bare = createPages({ endpoint: '/graphql', examplesFile: 'schema/none.graphql' });
    expect(String(bare.at('/graphiql')?.body)).toContain('initialWindows: []');
    expect(String(bare.sandbox().body)).not.toContain('undefined');
  });

  test('allow one script each, by a nonce that is new each time', () => {
    const policies = [pages.sandbox(), pages.sandbox(), pages.at('/graphiql/')].map(
      (page) => page?.headers['content-security-policy'] ?? '',
    );
    expect(new Set(policies).size).toBe(3);
    for (const policy of policies)
      expect(policy).toMatch(/default-src 'none'.*frame-ancestors 'none'.*script-src [^;]*'nonce-/);
  });

  test.each([
    '/graphiql/../package.json',
    '/graphiql/..%2fpackage.json',
    '/graphiql//etc/passwd',
    '/package.json',
    '/',
  ])('%s is nothing', (path) => {
    expect(pages.at(path)).toBeUndefined();
  });
});
