// For tests: requests that are made to hurt a router over the test subgraphs.
import { hostileDocuments, repeat } from './test-hostile-documents.ts';
import type { HostileRequest } from './test-hostile-documents.ts';

/** @param seed makes every text a new one, so that nothing is answered from memory. */
export const hostileRequests = (seed: number): HostileRequest[] => [
  ...hostileDocuments(seed),
  ...hostileBodies(seed),
  ...hostileVariables(seed),
];

function hostileBodies(seed: number): HostileRequest[] {
  const echo = `query H${seed} { echo(number: 1) }`;
  const deepList = `${'['.repeat(40_000)}${']'.repeat(40_000)}`;
  const manyKeys = repeat(60_000, (n) => `"k${n}":1`, ',');
  const wide = (n: number): string => `query H${seed}_${n} { users { ${'id '.repeat(990)} } }`;
  return [
    {
      name: 'a batch without end',
      body: JSON.stringify(Array.from({ length: 10_000 }, () => ({ query: `{ users { id } } #${seed}` }))),
      codes: ['BATCH_LIMIT'],
    },
    {
      name: 'a batch of wide operations',
      body: JSON.stringify(Array.from({ length: 10 }, (_, n) => ({ query: wide(n) }))),
      codes: ['ok'],
    },
    { name: 'extensions nested deep', body: `{"query":"${echo}","extensions":{"x":${deepList}}}`, codes: ['ok'] },
    { name: 'extensions with many keys', body: `{"query":"${echo}","extensions":{${manyKeys}}}`, codes: ['ok'] },
    { name: 'a body with many keys', body: `{"query":"${echo}",${manyKeys}}`, codes: ['ok'] },
    {
      name: 'a long name of an operation',
      body: JSON.stringify({ query: echo, operationName: 'x'.repeat(900_000) }),
      codes: ['OPERATION_RESOLUTION_FAILURE'],
    },
    {
      name: 'many types that are accepted',
      body: JSON.stringify({ query: echo }),
      headers: { accept: repeat(1_100, (n) => `a/b${n};q=0.5`, ',') },
      codes: ['BAD_REQUEST'],
    },
    {
      name: 'deferred fragments in pieces',
      body: JSON.stringify({
        query: `query H${seed} { users { ${repeat(20, (n) => `... @defer(label: "d${n}") { a${n}: reviews { author { name rating } } }`)} } }`,
      }),
      headers: { accept: 'multipart/mixed;deferSpec=20220824, application/json' },
      codes: ['ok'],
    },
    {
      name: 'a subscription where there is none',
      body: JSON.stringify({ query: `subscription H${seed} { users { ${'name '.repeat(900)} } }` }),
      headers: { accept: 'text/event-stream' },
      codes: ['BAD_REQUEST', 'GRAPHQL_VALIDATION_FAILED'],
    },
    {
      name: 'a body over the limit',
      body: JSON.stringify({ query: 'x'.repeat(1_100_000) }),
      codes: ['PAYLOAD_TOO_LARGE'],
    },
    { name: 'JSON that does not end', body: '{"query":'.repeat(50_000), codes: ['BAD_REQUEST'] },
  ];
}

function hostileVariables(seed: number): HostileRequest[] {
  const find = `query H${seed}($f: Filter) { find(filter: $f) }`;
  const given = (name: string, query: string, variables: unknown, ...codes: string[]): HostileRequest => ({
    name,
    body: JSON.stringify({ query, variables }),
    codes,
  });
  const keys = (count: number): Record<string, number> =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`numbr${n}`, n]));
  const filters = (count: number): unknown[] => Array.from({ length: count }, () => ({ number: 1 }));
  const nested = (depth: number): string => `${'{"not":'.repeat(depth)}null${'}'.repeat(depth)}`;
  const inDepth = (depth: number, code: string): HostileRequest => ({
    name: `an input nested ${depth} levels deep`,
    body: `{"query":"${find}","variables":{"f":${nested(depth)}}}`,
    codes: [code],
  });
  return [
    inDepth(40_000, 'BAD_USER_INPUT'),
    inDepth(2_000, 'BAD_USER_INPUT'),
    inDepth(100, 'ok'),
    {
      name: 'variables nested deep',
      body: `{"query":"query H${seed}($n: Int!) { echo(number: $n) }","variables":{"n":${'['.repeat(40_000)}${']'.repeat(40_000)}}}`,
      codes: ['BAD_USER_INPUT'],
    },
    given(
      'many variables',
      `query H${seed}(${repeat(1_500, (n) => `$v${n}: Int`)}) { echo(number: 1) }`,
      {},
      'GRAPHQL_VALIDATION_FAILED',
    ),
    given('variables that are not asked for', `query H${seed} { echo(number: 1) }`, keys(50_000), 'ok'),
    given(
      'a huge variable',
      `query H${seed}($n: Int!) { echo(number: $n) }`,
      { n: 'x'.repeat(900_000) },
      'BAD_USER_INPUT',
    ),
    given('more values than are taken', find, { f: { any: filters(60_000) } }, 'BAD_USER_INPUT'),
    given('as many values as are taken', find, { f: { any: filters(9_900) } }, 'ok'),
    given(
      'a variable that is used often',
      `query H${seed}($f: Filter) { ${repeat(50, (n) => `a${n}: find(filter: $f)`)} }`,
      { f: { any: filters(9_900) } },
      'ok',
    ),
    given('many fields that are not there', find, { f: keys(19_900) }, 'BAD_USER_INPUT'),
    given(
      'a hundred fields that are not there, and a long text',
      find,
      { f: { ...keys(100), number: '\u0001'.repeat(150_000) } },
      'BAD_USER_INPUT',
    ),
  ];
}
