// Joins fetches of entities that go to one subgraph at the same moment into one request: an `_entities` field for each text,
// under aliases. The answer is taken apart again, so that each fetch sees what it would have got alone.
import type { FetchNode } from '@apollo/query-planner';
import { Kind, parse, print, stripIgnoredCharacters, visit } from 'graphql';
import type { DocumentNode, FieldNode, OperationDefinitionNode, VariableDefinitionNode } from 'graphql';
import type { SubgraphError, SubgraphFetch, SubgraphRequest, SubgraphResponse } from './execute.ts';
import { isBefore, type PlacedFetch } from './order.ts';
import { textWithoutName, unite, type Pending } from './union.ts';

/** Asks subgraphs in the name of one execution. */
export interface Joiner {
  readonly ask: (node: FetchNode, request: SubgraphRequest) => Promise<SubgraphResponse>;
}

/** What is known of joins from earlier executions of a plan: their texts, by the operations joined. */
export type JoinTexts = Map<string, string | undefined>;

const maxJoined = 10;
const maxTexts = 100;

/** The fetches of a plan that may meet another one to the same subgraph. */
export function joinableIn(fetches: readonly PlacedFetch[]): ReadonlySet<FetchNode> {
  const candidates = fetches.filter(({ node }) => node.requires && !node.contextRewrites);
  return new Set(
    candidates
      .filter((one) =>
        candidates.some(
          (other) =>
            other !== one &&
            other.node.serviceName === one.node.serviceName &&
            !isBefore(one, other) &&
            !isBefore(other, one),
        ),
      )
      .map(({ node }) => node),
  );
}

/** Makes the joiner of one execution. What is asked in one turn of the event loop is sent together. */
export function createJoiner<Context>(fetch: SubgraphFetch<Context>, context: Context, texts: JoinTexts): Joiner {
  let pending: Pending[] = [];

  const send = (one: Pending): void => {
    void asked(() => fetch(one.request, context)).then(one.answer.resolve, one.answer.reject);
  };
  const sendJoined = (group: readonly Pending[]): void => {
    const query = group.length > 1 ? textFor(group, texts) : undefined;
    if (query === undefined) {
      for (const one of group) send(one);
      return;
    }
    const [first] = group as [Pending];
    const request: SubgraphRequest = { ...first.request, query, variables: joinedVariables(group) };
    void asked(() => fetch(request, context)).then(
      (response) => {
        group.forEach((one, index) => one.answer.resolve(partOf(response, index, group.length)));
      },
      (error: unknown) => {
        for (const one of group) one.answer.reject(error);
      },
    );
  };
  const flush = (): void => {
    const bySubgraph = Map.groupBy(pending, ({ request }) => request.subgraph);
    pending = [];
    for (const ofSubgraph of bySubgraph.values()) {
      const byText = Map.groupBy(ofSubgraph, ({ node }) => textWithoutName(node));
      const group = [...byText.values()].map(unite);
      for (let at = 0; at < group.length; at += maxJoined) sendJoined(group.slice(at, at + maxJoined));
    }
  };

  return {
    ask: (node, request) => {
      // Answers that came in the same turn have all been dealt with by then, so that what follows from them meets here.
      if (pending.length === 0) setImmediate(flush);
      const answer = Promise.withResolvers<SubgraphResponse>();
      pending.push({ node, request, answer });
      return answer.promise;
    },
  };
}

/** A throw is a rejection like any other. */
async function asked(ask: () => Promise<SubgraphResponse>): Promise<SubgraphResponse> {
  return ask();
}

function joinedVariables(group: readonly Pending[]): Record<string, unknown> {
  const variables: Record<string, unknown> = {};
  for (const [index, { request }] of group.entries()) {
    for (const [name, value] of Object.entries(request.variables)) {
      variables[name === 'representations' ? representationsOf(index) : name] = value;
    }
  }
  return variables;
}

/** What of a joined answer belongs to one fetch. An error that names none of them belongs to those that have no data. */
function partOf(response: SubgraphResponse, index: number, count: number): SubgraphResponse {
  const data = response.data ?? undefined;
  const entities = data?.[aliasOf(index)];
  const isLost = (at: number): boolean => (data?.[aliasOf(at)] ?? null) === null;
  const firstLost = Array.from({ length: count }, (_, at) => at).find(isLost) ?? 0;
  const errors = (response.errors ?? []).flatMap((error): SubgraphError[] => {
    const [alias, ...rest] = Array.isArray(error.path) ? (error.path as (string | number)[]) : [];
    if (alias === aliasOf(index)) return [{ ...error, path: ['_entities', ...rest] }];
    if (typeof alias === 'string' && /^_\d+$/.test(alias)) return [];
    return isLost(index) || index === firstLost ? [error] : [];
  });
  return { data: data ? { _entities: entities } : null, ...(errors.length > 0 ? { errors } : {}) };
}

function textFor(group: readonly Pending[], texts: JoinTexts): string | undefined {
  const key = group.map(({ node }) => node.operation).join('\n');
  if (!texts.has(key)) {
    if (texts.size >= maxTexts) texts.clear();
    texts.set(key, joinedText(group.map(({ node }) => node.operation)));
  }
  return texts.get(key);
}

const aliasOf = (index: number): string => `_${index}`;
const representationsOf = (index: number): string => `representations_${index}`;

/** One text for several; undefined when they cannot be joined, because they are the same or a variable's name is taken. */
function joinedText(operations: readonly string[]): string | undefined {
  if (new Set(operations).size < operations.length) return undefined;
  const documents = operations.map((text, index) => renamed(parse(text, { noLocation: true }), index));
  const definitions = documents.flatMap((document) => document.definitions);
  const parts = definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
  const [first] = parts;
  const variables = new Map<string, VariableDefinitionNode>();
  for (const [index, part] of parts.entries()) {
    for (const definition of part.variableDefinitions ?? []) {
      const name = definition.variable.name.value;
      const isOurs = name === representationsOf(index);
      if (!isOurs && /^representations_\d+$/.test(name)) return undefined;
      variables.set(name, definition);
    }
  }
  if (!first) return undefined;
  const operation: OperationDefinitionNode = {
    ...first,
    variableDefinitions: [...variables.values()],
    selectionSet: { kind: Kind.SELECTION_SET, selections: parts.flatMap((part) => part.selectionSet.selections) },
  };
  const fragments = definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION);
  return stripIgnoredCharacters(print({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] }));
}

/** The same operation with its own names for what each of the joined ones has: representations, fragments, `_entities`. */
function renamed(document: DocumentNode, index: number): DocumentNode {
  const named = <Node extends { readonly name: { readonly value: string } }>(node: Node): Node => ({
    ...node,
    name: { ...node.name, value: `${node.name.value}_${index}` },
  });
  return visit(document, {
    Variable: (node) => (node.name.value === 'representations' ? named(node) : undefined),
    FragmentSpread: named,
    FragmentDefinition: { leave: named },
    OperationDefinition: {
      leave: (operation) => ({
        ...operation,
        selectionSet: {
          ...operation.selectionSet,
          selections: operation.selectionSet.selections.map((field) => ({
            ...(field as FieldNode),
            alias: { kind: Kind.NAME, value: aliasOf(index) } as const,
          })),
        },
      }),
    },
  });
}
