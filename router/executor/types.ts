// What the executor asks of the supergraph's types: which names are object types, and which type conditions an object fulfils.
import { isInterfaceType, isObjectType, possibleRuntimeTypes } from '@apollo/federation-internals';
import { Kind, parse } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import { perSupergraph } from '../supergraph.ts';
import type { Supergraph } from '../supergraph.ts';
import { createMerge, type Merge } from './data.ts';

/** Answers about types by name. They cover the whole supergraph, with what clients do not see. */
export interface TypeIndex {
  /** Merges objects of the tree. */
  readonly merge: Merge;
  /** Whether `... on condition` applies to an object or interface type. */
  readonly applies: (condition: string, typename: string) => boolean;
  /** The keys by which a subgraph knows objects of a type, or of an interface of theirs. Empty when it does not say. */
  readonly keysOf: (subgraph: string, typename: string) => readonly SelectionSetNode[];
}

/** The index of one supergraph, made once. */
export const typeIndexOf = perSupergraph(makeIndex);

function makeIndex(supergraph: Supergraph): TypeIndex {
  const { schema } = supergraph.planner.supergraph;
  const keysBySubgraph = readKeys(supergraph);
  const members = new Map<string, ReadonlySet<string>>();
  const membersOf = (condition: string): ReadonlySet<string> => {
    let names = members.get(condition);
    if (!names) {
      const type = schema.type(condition);
      const found = new Set([condition]);
      if (type?.kind === 'InterfaceType' || type?.kind === 'UnionType') {
        for (const member of possibleRuntimeTypes(type)) found.add(member.name);
      }
      if (type && isInterfaceType(type)) {
        for (const other of schema.interfaceTypes()) if (other.implementsInterface(condition)) found.add(other.name);
      }
      names = found;
      members.set(condition, names);
    }
    return names;
  };
  return {
    merge: createMerge(
      new Set(
        schema
          .types()
          .filter(isObjectType)
          .map((type) => type.name),
      ),
    ),
    applies: (condition, typename) => condition === typename || membersOf(condition).has(typename),
    keysOf: (subgraph, typename) => {
      const keys = keysBySubgraph.get(subgraph) ?? new Map<string, SelectionSetNode[]>();
      return [...keys].flatMap(([type, of]) => (type === typename || membersOf(type).has(typename) ? of : []));
    },
  };
}

/** The keys of `@join__type` by which entities can be asked for, by subgraph and type. */
function readKeys(supergraph: Supergraph): Map<string, Map<string, SelectionSetNode[]>> {
  const names = new Map<string, string>();
  for (const [name, value] of supergraph.planner.supergraph.subgraphNameToGraphEnumValue()) names.set(value, name);
  const found = new Map<string, Map<string, SelectionSetNode[]>>();
  for (const definition of parse(supergraph.sdl, { noLocation: true }).definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const directive of definition.directives ?? []) {
      if (directive.name.value !== 'join__type') continue;
      const values = new Map(directive.arguments?.map(({ name, value }) => [name.value, value]));
      const graph = values.get('graph');
      const key = values.get('key');
      const resolvable = values.get('resolvable');
      if (graph?.kind !== Kind.ENUM || key?.kind !== Kind.STRING) continue;
      if (resolvable?.kind === Kind.BOOLEAN && !resolvable.value) continue;
      const subgraph = names.get(graph.value) ?? graph.value;
      const byType = found.get(subgraph) ?? new Map<string, SelectionSetNode[]>();
      found.set(subgraph, byType);
      const [operation] = parse(`{${key.value}}`).definitions;
      if (operation?.kind !== Kind.OPERATION_DEFINITION) continue;
      byType.set(definition.name.value, [...(byType.get(definition.name.value) ?? []), operation.selectionSet]);
    }
  }
  return found;
}
