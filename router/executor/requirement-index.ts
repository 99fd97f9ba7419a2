// What each field of a supergraph requires, read from `@join__field(requires:)`.
import { Kind, parse, print, visit } from 'graphql';
import type { FieldNode, SelectionSetNode } from 'graphql';
import { argumentsOf, directivesNamed } from '../links.ts';
import { perSupergraph } from '../supergraph.ts';
import type { Supergraph } from '../supergraph.ts';
import { requirementKey } from './keys.ts';
import { typeIndexOf } from './types.ts';

/** What a field requires of the objects of a type. Of a field that is required with arguments, each set of them has its key. */
export interface Requirement {
  readonly type: string;
  readonly field: string;
  readonly selection: SelectionSetNode;
}

/** The requirements of a supergraph. */
export interface RequirementIndex {
  /** What a subgraph must be sent for a field of a type of its own. */
  readonly of: (subgraph: string, type: string, field: string) => SelectionSetNode | undefined;
  /** What any subgraph may have to be sent for a field of objects of a type, as `type` and its interfaces and members declare it. */
  readonly forField: (type: string, field: string) => readonly Requirement[];
  /** Whether some requirement may lead to another one, or a field is required with different arguments. */
  readonly mayMeet: boolean;
}

/** The index of one supergraph, made once. */
export const requirementsOf = perSupergraph(makeIndex);

function makeIndex(supergraph: Supergraph): RequirementIndex {
  const { applies } = typeIndexOf(supergraph);
  const graphs = supergraph.planner.supergraph.subgraphNameToGraphEnumValue();
  const declared = readRequirements(supergraph.sdl);
  const keys = new Map<string, Set<string>>();
  for (const { selection } of declared) {
    visit(selection, {
      Field: ({ name, alias }) =>
        void keys.set(name.value, (keys.get(name.value) ?? new Set()).add(alias?.value ?? name.value)),
    });
  }
  const known = new Map<string, readonly Requirement[]>();
  return {
    mayMeet: declared.some(({ field }) => keys.has(field)) || [...keys.values()].some(({ size }) => size > 1),
    of: (subgraph, type, field) => {
      const graph = graphs.get(subgraph);
      return declared.find((one) => one.field === field && one.type === type && one.graph === graph)?.selection;
    },
    forField: (type, field) => {
      const coordinate = `${type}.${field}`;
      const found =
        known.get(coordinate) ??
        declared.filter((one) => one.field === field && (applies(one.type, type) || applies(type, one.type)));
      known.set(coordinate, found);
      return found;
    },
  };
}

function readRequirements(sdl: string): (Requirement & { readonly graph: string })[] {
  const found: ReturnType<typeof readRequirements> = [];
  const texts = new Map<string, string[]>();
  visit(parse(sdl, { noLocation: true }), {
    enter: (type) => {
      if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) return;
      for (const { name, directives } of type.fields ?? []) {
        for (const use of directivesNamed({ directives }, 'join__field')) {
          const { graph, requires } = argumentsOf(use);
          if (typeof graph !== 'string' || typeof requires !== 'string') continue;
          const [operation] = parse(`{${requires}}`, { noLocation: true }).definitions;
          if (operation?.kind !== Kind.OPERATION_DEFINITION) continue;
          const selection = withKeys(operation.selectionSet, texts);
          found.push({ graph, type: type.name.value, field: name.value, selection });
        }
      }
    },
  });
  return found;
}

/** The fields that are given arguments, under a key for each set of them. */
function withKeys(selection: SelectionSetNode, texts: Map<string, string[]>): SelectionSetNode {
  return visit(selection, {
    Field(field): FieldNode | undefined {
      if (!field.arguments?.length) return undefined;
      const { value: name } = field.name;
      const text = field.arguments.map(print).sort().join();
      const known = texts.get(name) ?? [];
      texts.set(name, known);
      if (!known.includes(text)) known.push(text);
      return { ...field, alias: { kind: Kind.NAME, value: requirementKey(name, known.indexOf(text) + 1) } };
    },
  });
}
