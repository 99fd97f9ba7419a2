// Tests of one federation feature as a table: a query, the answer, and what the subgraphs were asked for it.
import { expect, test } from '@jest/globals';
import { getVariableValues, Kind, parse, print, stripIgnoredCharacters } from 'graphql';
import type { SubgraphRequest } from '../execute.ts';
import type { TestGraph } from './graph.ts';

/** One query. */
export interface FeatureCase {
  readonly query: string;
  /** As the client sends them. */
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly data: unknown;
  /** `path: message`, in any order. None when left out. */
  readonly errors?: readonly string[];
  /** What was asked, in order, as `fetchText` tells it. */
  readonly fetches: readonly string[];
}

/** Makes a test of each case; its key is the name. */
export function testFeature(graph: TestGraph, cases: Readonly<Record<string, FeatureCase>>): void {
  for (const [name, { query, variables = {}, data, errors = [], fetches }] of Object.entries(cases)) {
    test(name, async () => {
      const { operation } = graph.compile(query);
      const { coerced } = getVariableValues(graph.supergraph.schema, operation.variableDefinitions ?? [], variables);
      const result = await graph.run(query, coerced);
      expect({
        data: result.data,
        errors: (result.errors ?? []).map(({ path, message }) => `${(path ?? []).join('.')}: ${message}`).sort(),
        fetches: graph.requests.map(fetchText),
      }).toEqual({ data, errors: [...errors].sort(), fetches });
      // The order of keys is that of the query, which toEqual does not see.
      expect(JSON.stringify(result.data)).toBe(JSON.stringify(data));
    });
  }
}

/**
 * A request as a line: `products {top{id name}}`, or for entities `stock Product(id:"1") Product(id:"2") {...on Product{count}}`.
 * What was joined into one request stands behind a `+`; variables of the client follow. As the subgraphs here answer within the turn
 * of the event loop in which they are asked, what meets in one request does not depend on how fast the machine is.
 */
export function fetchText({ subgraph, query, variables }: SubgraphRequest): string {
  const [operation] = parse(query).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error('The first definition is no operation.');
  const others = new Map(Object.entries(variables));
  const kind = operation.operation === 'query' ? '' : `${operation.operation} `;
  const fragments = query.slice(stripIgnoredCharacters(print(operation)).length);
  const parts = operation.selectionSet.selections.map((selection) => {
    if (selection.kind !== Kind.FIELD || selection.name.value !== '_entities' || !selection.selectionSet)
      return undefined;
    const of = selection.arguments?.[0]?.value;
    const name = of?.kind === Kind.VARIABLE ? of.name.value : '';
    const representations = others.get(name) as readonly Readonly<Record<string, unknown>>[];
    others.delete(name);
    return `${representations.map(representationText).join(' ')} ${stripIgnoredCharacters(print(selection.selectionSet))}`;
  });
  const isEntities = parts.every((part) => part !== undefined);
  const selection =
    (isEntities ? parts.join(' + ') : stripIgnoredCharacters(print(operation.selectionSet))) + fragments;
  const given = others.size > 0 ? ` ${valueText(Object.fromEntries(others))}` : '';
  return `${subgraph} ${kind}${selection}${given}`;
}

function representationText(representation: Readonly<Record<string, unknown>>): string {
  const { __typename, ...fields } = representation;
  return `${String(__typename)}(${membersText(fields)})`;
}

const membersText = (fields: object): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}:${valueText(value)}`)
    .join(' ');

function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(' ')}]`;
  return typeof value === 'object' && value !== null ? `{${membersText(value)}}` : JSON.stringify(value);
}
