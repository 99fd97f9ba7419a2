// For tests: documents that are made to hurt a router over the test subgraphs. Those that are answered `ok` stand just within the limits
// of `config.ts`: the dearest that a stranger may have parsed, validated and planned.

export interface HostileRequest {
  readonly name: string;
  /** The body, as it is sent. */
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The codes that it may be answered with, any of these; `ok` for none. */
  readonly codes: readonly string[];
}

export const repeat = (count: number, text: (n: number) => string, by = ' '): string =>
  Array.from({ length: count }, (_, n) => text(n)).join(by);

/** @param seed makes every text a new one, so that nothing is answered from memory. */
export function hostileDocuments(seed: number): HostileRequest[] {
  const document = (name: string, query: string, ...codes: string[]): HostileRequest => ({
    name,
    body: JSON.stringify({ query: `query H${seed} ${query}`, operationName: `H${seed}` }),
    codes,
  });
  return [
    ...tooMuch(document),
    ...notWellFormed(document),
    ...notValid(document),
    ...dearToValidate(document),
    ...dearToPlan(document),
  ];
}

type MakeDocument = (name: string, query: string, ...codes: string[]) => HostileRequest;

const chain = (length: number, last: number): string =>
  repeat(length, (n) => `fragment F${n} on User { reviews { author { ...F${n === length - 1 ? last : n + 1} } } }`);

const tooMuch = (document: MakeDocument): HostileRequest[] => [
  document('depth', `{ users { ${'reviews { author { '.repeat(90)} id ${'} }'.repeat(90)} } }`, 'MAX_DEPTH_LIMIT'),
  document('braces without end', '{ users { reviews { author '.repeat(4_000), 'MAX_NESTING_LIMIT'),
  document('fragments nested deep', `{ users { ${'...{'.repeat(4_000)}id${'}'.repeat(4_000)} } }`, 'MAX_NESTING_LIMIT'),
  document('a value nested deep', `{ echo(number: ${'['.repeat(7_000)}${']'.repeat(7_000)}) }`, 'MAX_NESTING_LIMIT'),
  document(
    'a chain of fragments without end',
    `{ users { ...F0 } } ${repeat(1_200, (n) => `fragment F${n} on User { ${n === 1_199 ? 'id' : `...F${n + 1}`} }`)}`,
    'MAX_NESTING_LIMIT',
  ),
  document('width', `{ users { ${'id '.repeat(9_000)} } }`, 'MAX_HEIGHT_LIMIT'),
  document('more tokens than are read', `{ users { ${'id '.repeat(100_000)} } }`, 'MAX_TOKENS_LIMIT'),
  document(
    'more lines than are read',
    `{ ${'\n'.repeat(490_000)} users { ${repeat(900, (n) => `x${n}`)} } }`,
    'MAX_TOKENS_LIMIT',
  ),
  document('comments without end', `{ echo(number: 1) } ${'#\n'.repeat(340_000)}`, 'MAX_TOKENS_LIMIT'),
  document('aliases', `{ users { ${repeat(900, (n) => `a${n}: id`)} } }`, 'MAX_ALIASES_LIMIT'),
  document('root fields', `{ ${'users { id } '.repeat(200)} }`, 'MAX_ROOT_FIELDS_LIMIT'),
  document('directives', `{ users { id ${'@include(if: true) '.repeat(1_300)} } }`, 'MAX_DIRECTIVES_LIMIT'),
  document(
    'deferred fragments',
    `{ users { ${repeat(190, (n) => `... @defer(label: "d${n}") { rating }`)} } }`,
    'MAX_DEFERS_LIMIT',
  ),
  document(
    'a bomb of fragments',
    `{ users { ...B0 } } ${repeat(40, (n) => `fragment B${n} on User { id ...B${n + 1} ...B${n + 1} }`)} fragment B40 on User { id }`,
    'MAX_HEIGHT_LIMIT',
  ),
  document(
    'lists in lists',
    `{ users { ${'reviews { author { '.repeat(8)} id ${'} }'.repeat(8)} } }`,
    'COST_ESTIMATED_TOO_EXPENSIVE',
  ),
  document(
    'operations without end that share fragments',
    `{ users { ...F0 } } ${repeat(500, (n) => `query Q${n} { users { ...F0 } }`)} ${repeat(190, (n) => `fragment F${n} on User { id ${n === 189 ? '' : `...F${n + 1}`} }`)}`,
    'MAX_OPERATIONS_LIMIT',
  ),
];

const notWellFormed = (document: MakeDocument): HostileRequest[] => [
  document('a number of a megabyte', `{ echo(number: ${'1'.repeat(900_000)}) }`, 'GRAPHQL_VALIDATION_FAILED'),
  document('a name of a megabyte', `{ ${'x'.repeat(900_000)} }`, 'GRAPHQL_VALIDATION_FAILED'),
  document('a long string', `{ node(id: "${'x'.repeat(900_000)}") { nothing } }`, 'GRAPHQL_VALIDATION_FAILED'),
  // `node` is for those who have signed in, where identities are verified.
  document('escapes without end', `{ node(id: "${'\\u0041'.repeat(130_000)}") { id } }`, 'UNAUTHENTICATED', 'ok'),
  document(
    'a block string of long lines',
    `{ node(id: """${'\n x'.repeat(9_000)}${'x'.repeat(800_000)}""") { nothing } }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document('commas without end', `{ echo(number: 1) ${','.repeat(1_000_000)} }`, 'ok'),
  document('a string that does not end', `{ node(id: "${'{'.repeat(900_000)}`, 'GRAPHQL_PARSE_FAILED'),
];

const notValid = (document: MakeDocument): HostileRequest[] => [
  document('a ring of fragments', `{ users { ...F0 } } ${chain(10, 0)}`, 'GRAPHQL_VALIDATION_FAILED'),
  document(
    'a long ring of fragments',
    `{ users { ...F0 } } ${repeat(180, (n) => `fragment F${n} on User { ...F${(n + 1) % 180} }`)}`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document(
    'fragments that all spread each other',
    `{ users { ...F0 } } ${repeat(75, (n) => `fragment F${n} on User { ${repeat(60, (k) => `...F${(n + k + 1) % 75}`)} }`)}`,
    'GRAPHQL_VALIDATION_FAILED',
    'MAX_HEIGHT_LIMIT',
  ),
  document(
    'a fragment that nobody spreads',
    `{ users { id } } fragment F on User { ${'id name '.repeat(4_900)} }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document(
    'fields that conflict only at the end',
    `{ users { ${'reviews { text } '.repeat(490)} reviews { text: author { id } } } }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document(
    'fragments that must all be compared',
    `{ users { ${repeat(330, (n) => `...F${n}`)} } } ${repeat(330, (n) => `fragment F${n} on User { name rating }`)} fragment Z on Nothing { x }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document('names that are not there', `{ users { ${repeat(900, (n) => `nmae${n}`)} } }`, 'GRAPHQL_VALIDATION_FAILED'),
  document(
    'errors behind as many lines as are read',
    `{ ${'\n'.repeat(9_900)} users { ${repeat(900, (n) => `x${n}`)} } }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document(
    'an argument again and again, behind many lines',
    `{ ${'\n'.repeat(9_900)} echo(${'number: 1 '.repeat(3_000)}) }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document(
    'fields of an input that are not there',
    `{ find(filter: { ${repeat(3_000, (n) => `numbr${n}: 1`)} }) }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  document(
    'variables that no operation has',
    `{ ...F } ${repeat(49, (n) => `query Q${n} { ...F }`)} fragment F on Query { find(filter: { any: [${repeat(1_400, () => '{ number: $x }')}] }) }`,
    'GRAPHQL_VALIDATION_FAILED',
  ),
];

const dearToValidate = (document: MakeDocument): HostileRequest[] => [
  document('fields that all merge', `{ users { ${'reviews { text } '.repeat(490)} } }`, 'ok'),
  document(
    'many operations with as many fields as are allowed',
    `{ users { ${'id '.repeat(900)} } } ${repeat(9, (n) => `query Q${n} { users { ${'name '.repeat(900)} } }`)}`,
    'ok',
  ),
  document(
    'many operations with fields in fields',
    `{ users { id } } ${repeat(7, (n) => `query Q${n} { users { ${'reviews { text } '.repeat(330)} } }`)}`,
    'ok',
  ),
  document(
    'operations that all spread a chain of fragments',
    `{ users { ...F0 } } ${repeat(49, (n) => `query Q${n} { users { ...F0 } }`)} ${repeat(190, (n) => `fragment F${n} on User { ${'id '.repeat(4)} ${n === 189 ? '' : `...F${n + 1}`} }`)}`,
    'ok',
  ),
  document(
    'fragments spread once each',
    `{ users { ${repeat(900, (n) => `...F${n}`)} } } ${repeat(900, (n) => `fragment F${n} on User { id }`)}`,
    'ok',
  ),
  document(
    'arguments that are long and the same',
    `{ ${repeat(45, () => `find(filter: { number: 1, not: ${'{ not: '.repeat(40)}{ number: 1 }${' }'.repeat(40)} })`)} }`,
    'ok',
  ),
  document(
    'a literal of many objects',
    `{ find(filter: { any: [${repeat(1_980, (n) => `{ number: ${n} }`)}] }) }`,
    'ok',
  ),
  document('a literal of many numbers', `{ find(filter: { numbers: [${repeat(9_900, (n) => `${n}`)}] }) }`, 'ok'),
  document(
    'as many directives as are allowed',
    `{ users { ${repeat(190, (n) => `... @include(if: true) { a${n}: name rating }`)} } }`,
    'ok',
  ),
];

const dearToPlan = (document: MakeDocument): HostileRequest[] => [
  document(
    'entities below each alias',
    `{ users { ${repeat(190, (n) => `a${n}: reviews { author { name rating } }`)} } }`,
    'ok',
  ),
  document(
    'a fragment below each alias',
    `{ users { ${repeat(110, (n) => `a${n}: reviews { author { ...F } }`)} } } fragment F on User { name rating reviews { text author { name } } }`,
    'ok',
  ),
  document(
    'types of an interface',
    `{ ${repeat(50, (n) => `a${n}: node(id: "1") { ... on User { name rating reviews { author { name rating reviews { author { name } } } } } ... on Vault { id } }`)} }`,
    'ok',
    'UNAUTHENTICATED',
  ),
  document(
    'as many deferred fragments as are allowed',
    `{ users { ${repeat(20, (n) => `... @defer(label: "d${n}") { a${n}: reviews { author { name rating } } }`)} } }`,
    'ok',
  ),
  // Of a schema as small as this one it may be had.
  document(
    'introspection again and again',
    `{ ${repeat(40, (n) => `s${n}: __schema { types { fields { type { fields { name } } } } }`)} }`,
    'ok',
  ),
  document(
    'introspection with many aliases',
    `{ __schema { types { name ${repeat(99, (n) => `f${n}: fields { name type { name kind ofType { name kind } } }`)} } } }`,
    'ok',
  ),
];
