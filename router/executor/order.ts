// What each fetch of a plan brings, and whether each comes after those that bring what it requires. The planner (2.14.4) makes plans
// of which that is not true; they are planned in another way (see `requirement-plan.ts`).
import type { FetchNode, PlanNode, QueryPlanSelectionNode, ResponsePath } from '@apollo/query-planner';
import { Kind, parse } from 'graphql';
import type { DocumentNode, SelectionSetNode } from 'graphql';
import { compilePath, type CompiledPath } from './path.ts';
import type { TypeIndex } from './types.ts';

/** A fetch with its place in the plan. */
export interface PlacedFetch {
  readonly node: FetchNode;
  readonly path: CompiledPath;
  /** The path as the plan has it. */
  readonly flattened: ResponsePath;
  /** The way to it from the plan's root: where it stands in each Sequence and Parallel. */
  readonly position: Position;
}

/** The way to a fetch from the plan's root. */
export type Position = readonly Step[];

interface Step {
  readonly isSequence: boolean;
  readonly index: number;
}

/** All fetches of a plan, in order. */
export function fetchesIn(node: PlanNode, path: ResponsePath = [], position: Position = []): PlacedFetch[] {
  switch (node.kind) {
    case 'Fetch':
      return [{ node, path: compilePath(path), flattened: path, position }];
    case 'Flatten':
      return fetchesIn(node.node, [...path, ...node.path], position);
    case 'Sequence':
    case 'Parallel':
      return node.nodes.flatMap((child, index) =>
        fetchesIn(child, path, [...position, { isSequence: node.kind === 'Sequence', index }]),
      );
    case 'Condition':
      return [node.ifClause, node.elseClause].flatMap((child, index) =>
        child ? fetchesIn(child, path, [...position, { isSequence: false, index }]) : [],
      );
    case 'Defer':
      return [];
  }
}

/** A plan with something else in the place of each fetch. */
export function changeFetches(
  node: PlanNode,
  path: ResponsePath,
  change: (fetch: FetchNode, path: ResponsePath) => PlanNode,
): PlanNode {
  const changed = (one: PlanNode | undefined) => (one ? { node: changeFetches(one, path, change) } : {});
  switch (node.kind) {
    case 'Fetch':
      return change(node, path);
    case 'Flatten':
      return { ...node, node: changeFetches(node.node, [...path, ...node.path], change) };
    case 'Sequence':
    case 'Parallel':
      return { ...node, nodes: node.nodes.map((one) => changeFetches(one, path, change)) };
    case 'Condition':
      return {
        ...node,
        ...(node.ifClause && { ifClause: changeFetches(node.ifClause, path, change) }),
        ...(node.elseClause && { elseClause: changeFetches(node.elseClause, path, change) }),
      };
    case 'Defer':
      return {
        ...node,
        primary: { ...node.primary, ...changed(node.primary.node) },
        deferred: node.deferred.map((part) => ({ ...part, ...changed(part.node) })),
      };
  }
}

/** What the fetches of a plan bring. */
export interface Bringers {
  /** The fetches that bring a field, given by the keys that lead to it, to objects of a type. */
  readonly of: (wanted: readonly string[], typename?: string) => readonly PlacedFetch[];
}

/** Reads the texts of fetches, each once and only when it is asked for. */
export function bringersIn(fetches: readonly PlacedFetch[], types: TypeIndex): Bringers {
  // A plan may have hundreds of fetches, each of which asks who brings what it requires: they are looked up by their place.
  const byPlace = Map.groupBy(fetches, ({ path }) => placeKey(fieldsOf(path)));
  const documents = new Map<PlacedFetch, DocumentNode>();
  return {
    of: (wanted, typename) => {
      const applies = (condition: string): boolean => typename === undefined || types.applies(condition, typename);
      const places = Array.from({ length: wanted.length + 1 }, (_, length) => wanted.slice(0, length));
      return places.flatMap((place) =>
        (byPlace.get(placeKey(place)) ?? []).filter((fetch) => {
          const document = documents.get(fetch) ?? parse(fetch.node.operation, { noLocation: true });
          documents.set(fetch, document);
          return brings(document, fetch.node, wanted.slice(place.length), applies);
        }),
      );
    },
  };
}

const placeKey = (place: readonly string[]): string => place.join('.');

/** Whether some fetch comes before all those that bring a field which it requires. */
export function isMisordered(fetches: readonly PlacedFetch[], bringers: Bringers): boolean {
  if (fetches.length < 3) return false;
  return fetches.some((fetch) => {
    const required = requiredPaths(fetch.node.requires ?? []);
    const place = fieldsOf(fetch.path);
    return required.some((path) => {
      const others = bringers.of([...place, ...path]).filter((other) => other !== fetch);
      return others.length > 0 && !others.some((other) => isBefore(other, fetch));
    });
  });
}

/**
 * The fetches of a plan without conditions in an order in which each comes after those that bring what it requires.
 * @param moved those whose place in the plan says when they can be made at the soonest, and not what may follow.
 */
export function inOrder(node: PlanNode, moved: ReadonlySet<FetchNode>, types: TypeIndex): PlanNode {
  const fetches = fetchesIn(node);
  const bringers = bringersIn(fetches, types);
  const needs = (fetch: PlacedFetch): PlacedFetch[] => {
    const place = fieldsOf(fetch.path);
    const required = requiredPaths(fetch.node.requires ?? []).flatMap((path) => bringers.of([...place, ...path]));
    const above = bringers.of(place).filter((other) => fieldsOf(other.path).length < place.length);
    const brought = new Set([...required, ...above]);
    const isSerial = fetch.node.operationKind === 'mutation';
    return fetches.filter((other) => {
      if (other === fetch) return false;
      if (isBefore(other, fetch) && (isSerial || !moved.has(other.node))) return true;
      return (moved.has(other.node) || moved.has(fetch.node)) && brought.has(other);
    });
  };
  const steps: PlanNode[] = [];
  const done = new Set<PlacedFetch>();
  let left = fetches.map((fetch) => ({ fetch, needed: needs(fetch) }));
  while (left.length > 0) {
    const ready = left.filter(({ needed }) => needed.every((other) => done.has(other)));
    const next = ready.length > 0 ? ready : left.slice(0, 1);
    for (const { fetch } of next) done.add(fetch);
    left = left.filter(({ fetch }) => !done.has(fetch));
    const nodes = next.map(({ fetch: { node: one, flattened: path } }): PlanNode => {
      return path.length > 0 ? { kind: 'Flatten', path, node: one } : one;
    });
    steps.push(...inParallel(nodes));
  }
  return inSequence(steps)[0] ?? node;
}

/** No node, the only one, or one that runs all. */
export const inSequence = (nodes: PlanNode[]): PlanNode[] => (nodes.length > 1 ? [{ kind: 'Sequence', nodes }] : nodes);
export const inParallel = (nodes: PlanNode[]): PlanNode[] => (nodes.length > 1 ? [{ kind: 'Parallel', nodes }] : nodes);

/** Whether a fetch has ended when another one begins. */
export function isBefore(first: PlacedFetch, second: PlacedFetch): boolean {
  const at = first.position.findIndex((step, index) => step.index !== second.position[index]?.index);
  const step = first.position[at];
  return step?.isSequence === true && step.index < (second.position[at]?.index ?? 0);
}

/** Without type names, which every fetch brings that may have to. */
export function requiredPaths(nodes: readonly QueryPlanSelectionNode[]): string[][] {
  return nodes.flatMap((node) => {
    if (node.kind === 'InlineFragment') return requiredPaths(node.selections);
    if (node.name === '__typename') return [];
    const key = node.alias ?? node.name;
    return node.selections ? requiredPaths(node.selections).map((path) => [key, ...path]) : [[key]];
  });
}

/** The keys of a path. */
export const fieldsOf = (path: CompiledPath): string[] =>
  path.flatMap((step) => (step.kind === 'field' ? [step.key] : []));

function brings(
  { definitions }: DocumentNode,
  node: FetchNode,
  wanted: readonly string[],
  applies: (condition: string) => boolean,
): boolean {
  const renames = new Map(
    (node.outputRewrites ?? []).map((one) => [
      one.path.at(-1),
      one.kind === 'KeyRenamer' ? one.renameKeyTo : undefined,
    ]),
  );
  const path = node.requires ? ['_entities', ...wanted] : wanted;
  const has = (set: SelectionSetNode | undefined, at: number): boolean => {
    if (at === path.length) return true;
    return (set?.selections ?? []).some((selection) => {
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        return (renames.get(key) ?? key) === path[at] && has(selection.selectionSet, at + 1);
      }
      const spread = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : undefined;
      const fragment =
        selection.kind === Kind.INLINE_FRAGMENT
          ? selection
          : definitions
              .filter((one) => one.kind === Kind.FRAGMENT_DEFINITION)
              .find(({ name }) => name.value === spread);
      if (!fragment) return false;
      const condition = fragment.typeCondition?.name.value;
      // The type is that of the object that has the field; what stands above it may be of any.
      if (condition !== undefined && at === path.length - 1 && !applies(condition)) return false;
      return has(fragment.selectionSet, at);
    });
  };
  return definitions.some((one) => one.kind === Kind.OPERATION_DEFINITION && has(one.selectionSet, 0));
}
