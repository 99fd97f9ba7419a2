// What is said of subgraphs that cannot be asked.
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createSubgraphClient } from './subgraph-client.ts';
import { loadSupergraph } from './supergraph.ts';
import { testSupergraph } from './subscriptions/test-live.ts';

test('a subgraph without an address over HTTP is named, unless the router answers for it', async () => {
  const lines: unknown[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const client = createSubgraphClient({
    limitsOf: () => {
      throw new Error('nothing is opened');
    },
    maxBroughtBytes: 1_000_000,
    retireAfterMs: 0,
    log,
    metrics: { fetch: () => undefined, retried: () => undefined, circuit: () => undefined },
  });
  const { sdl } = testSupergraph;
  for (const address of ['', 'things', 'ftp://things/graphql', 'http://things:port/graphql']) {
    lines.length = 0;
    client.use(loadSupergraph(sdl, { things: address }));
    expect(lines).toMatchObject([{ level: 40, subgraph: 'things', address }]);
  }
  await client.close();
});
