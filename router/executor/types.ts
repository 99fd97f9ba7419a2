// What the executor asks of the supergraph's types: which names are object types, and which type conditions an object fulfils.
import { isInterfaceType, isObjectType, possibleRuntimeTypes } from '@apollo/federation-internals';
import type { Supergraph } from '../supergraph.ts';

/** Answers about types by name. They cover the whole supergraph, with what clients do not see. */
export interface TypeIndex {
  readonly objectTypes: ReadonlySet<string>;
  /** Whether `... on condition` applies to an object or interface type. */
  readonly applies: (condition: string, typename: string) => boolean;
}

const indexes = new WeakMap<Supergraph, TypeIndex>();

/** The index of one supergraph, made once. */
export function typeIndexOf(supergraph: Supergraph): TypeIndex {
  let index = indexes.get(supergraph);
  if (!index) {
    index = makeIndex(supergraph);
    indexes.set(supergraph, index);
  }
  return index;
}

function makeIndex(supergraph: Supergraph): TypeIndex {
  const { schema } = supergraph.planner.supergraph;
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
    objectTypes: new Set(
      schema
        .types()
        .filter(isObjectType)
        .map((type) => type.name),
    ),
    applies: (condition, typename) => condition === typename || membersOf(condition).has(typename),
  };
}
