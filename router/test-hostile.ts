// For tests: requests that are made to hurt a router over the test subgraphs, each with the codes that it may be answered with; `ok` for none.

export interface HostileRequest {
  readonly name: string;
  /** The body, as it is sent. */
  readonly body: string;
  /** Any of these. */
  readonly codes: readonly string[];
}

const repeat = (count: number, text: (n: number) => string, by = ' '): string =>
  Array.from({ length: count }, (_, n) => text(n)).join(by);

/** @param seed makes every text a new one, so that nothing is answered from memory. */
export function hostileRequests(seed: number): HostileRequest[] {
  const operation = (name: string, query: string, ...codes: string[]): HostileRequest => ({
    name,
    body: JSON.stringify({ query: `query H${seed} ${query}` }),
    codes,
  });
  const chain = (length: number, last: number): string =>
    repeat(length, (n) => `fragment F${n} on User { reviews { author { ...F${n === length - 1 ? last : n + 1} } } }`);
  const deepList = `${'['.repeat(40_000)}${']'.repeat(40_000)}`;
  const filter = (depth: number): string => `${'{"not":'.repeat(depth)}null${'}'.repeat(depth)}`;
  return [
    operation('depth', `{ users { ${'reviews { author { '.repeat(500)} id ${'} }'.repeat(500)} } }`, 'MAX_DEPTH_LIMIT'),
    operation(
      'braces without end',
      '{ users { reviews { author '.repeat(4_000),
      'GRAPHQL_PARSE_FAILED',
      'MAX_TOKENS_LIMIT',
    ),
    operation('width', `{ users { ${'id '.repeat(10_000)} } }`, 'MAX_HEIGHT_LIMIT'),
    operation('more tokens than are read', `{ users { ${'id '.repeat(100_000)} } }`, 'MAX_TOKENS_LIMIT'),
    operation('aliases', `{ users { ${repeat(900, (n) => `a${n}: id`)} } }`, 'MAX_ALIASES_LIMIT'),
    operation('root fields', `{ ${'users { id } '.repeat(200)} }`, 'MAX_ROOT_FIELDS_LIMIT'),
    operation('directives', `{ users { id ${'@include(if: true) '.repeat(1_500)} } }`, 'MAX_DIRECTIVES_LIMIT'),
    operation('a ring of fragments', `{ users { ...F0 } } ${chain(10, 0)}`, 'GRAPHQL_VALIDATION_FAILED'),
    operation(
      'a bomb of fragments',
      `{ users { ...B0 } } ${repeat(40, (n) => `fragment B${n} on User { id ...B${n + 1} ...B${n + 1} }`)} fragment B40 on User { id }`,
      'MAX_HEIGHT_LIMIT',
    ),
    operation(
      'lists in lists',
      `{ users { ${'reviews { author { '.repeat(8)} id ${'} }'.repeat(8)} } }`,
      'COST_ESTIMATED_TOO_EXPENSIVE',
    ),
    operation(
      'fields that conflict only at the end',
      `{ users { ${'reviews { text } '.repeat(490)} reviews { text: author { id } } } }`,
      'GRAPHQL_VALIDATION_FAILED',
    ),
    operation('fields that all merge', `{ users { ${'reviews { text } '.repeat(490)} } }`, 'ok'),
    operation(
      'a fragment that nobody spreads',
      `{ users { id } } fragment F on User { ${'id name '.repeat(7_000)} }`,
      'GRAPHQL_VALIDATION_FAILED',
    ),
    operation(
      'operations without end that share fragments',
      `{ users { ...F0 } } ${repeat(900, (n) => `query Q${n} { users { ...F0 } }`)} ${repeat(400, (n) => `fragment F${n} on User { id ${n === 399 ? '' : `...F${n + 1}`} }`)}`,
      'MAX_OPERATIONS_LIMIT',
    ),
    operation(
      'as many operations and fragments as are allowed',
      `{ users { ...F0 } } ${repeat(49, (n) => `query Q${n} { users { ...F0 } }`)} ${repeat(900, (n) => `fragment F${n} on User { id ${n === 899 ? '' : `...F${n + 1}`} }`)}`,
      'OPERATION_RESOLUTION_FAILURE',
    ),
    operation(
      'arguments that are long and the same',
      `{ ${repeat(45, () => `find(filter: { number: 1, not: ${'{ not: '.repeat(60)}{ number: 1 }${' }'.repeat(60)} })`)} }`,
      'ok',
    ),
    operation(
      'fragments that must all be compared',
      `{ users { ${repeat(330, (n) => `...F${n}`)} } } ${repeat(330, (n) => `fragment F${n} on User { name rating }`)} fragment Z on Nothing { x }`,
      'GRAPHQL_VALIDATION_FAILED',
    ),
    operation(
      'names that are not there',
      `{ users { ${repeat(900, (n) => `nmae${n}`)} } }`,
      'GRAPHQL_VALIDATION_FAILED',
    ),
    operation(
      'a value nested deep',
      `{ echo(number: ${'['.repeat(7_000)}${']'.repeat(7_000)}) }`,
      'GRAPHQL_VALIDATION_FAILED',
      'GRAPHQL_PARSE_FAILED',
    ),
    operation('a long string', `{ node(id: "${'x'.repeat(900_000)}") { nothing } }`, 'GRAPHQL_VALIDATION_FAILED'),
    operation('a name of a megabyte', `{ ${'x'.repeat(900_000)} }`, 'GRAPHQL_VALIDATION_FAILED'),
    operation(
      'introspection again and again',
      `{ ${repeat(40, (n) => `s${n}: __schema { types { fields { type { fields { name } } } } }`)} }`,
      // Of a schema as small as this one it may be had.
      'ok',
    ),
    {
      name: 'a batch without end',
      body: JSON.stringify(Array.from({ length: 10_000 }, () => ({ query: `{ users { id } } #${seed}` }))),
      codes: ['BATCH_LIMIT'],
    },
    {
      name: 'variables nested deep',
      body: `{"query":"query H${seed}($n: Int!) { echo(number: $n) }","variables":{"n":${deepList}}}`,
      codes: ['BAD_USER_INPUT'],
    },
    ...(
      [
        [40_000, 'BAD_USER_INPUT'],
        [2_000, 'BAD_USER_INPUT'],
        [100, 'ok'],
      ] as const
    ).map(([depth, code]) => ({
      name: `an input nested ${depth} levels deep`,
      body: `{"query":"query H${seed}($f: Filter) { find(filter: $f) }","variables":{"f":${filter(depth)}}}`,
      codes: [code],
    })),
    {
      name: 'extensions nested deep',
      body: `{"query":"query H${seed} { echo(number: 1) }","extensions":{"x":${deepList}}}`,
      codes: ['ok'],
    },
    {
      name: 'many variables',
      body: JSON.stringify({
        query: `query H${seed}(${repeat(2_000, (n) => `$v${n}: Int`)}) { echo(number: 1) }`,
      }),
      codes: ['GRAPHQL_VALIDATION_FAILED'],
    },
    {
      name: 'a huge variable',
      body: JSON.stringify({
        query: `query H${seed}($n: Int!) { echo(number: $n) }`,
        variables: { n: 'x'.repeat(900_000) },
      }),
      codes: ['BAD_USER_INPUT'],
    },
    {
      name: 'a body over the limit',
      body: JSON.stringify({ query: 'x'.repeat(1_100_000) }),
      codes: ['PAYLOAD_TOO_LARGE'],
    },
    { name: 'JSON that does not end', body: '{"query":'.repeat(50_000), codes: ['BAD_REQUEST'] },
  ];
}
