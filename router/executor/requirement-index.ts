// What each field of a supergraph requires with arguments, read from `@join__field(requires:)`.
import { Kind, parse, print, visit } from 'graphql';
import type { ArgumentNode, SelectionSetNode } from 'graphql';
import { argumentsOf, directivesNamed } from '../links.ts';
import { perSupergraph } from '../supergraph.ts';
import type { Supergraph } from '../supergraph.ts';

/** One field that another field requires with arguments. */
export interface Requirement {
  /** The names that lead to it from the entity. */
  readonly path: readonly string[];
  readonly given: readonly ArgumentNode[];
  /** The arguments, to be compared. */
  readonly text: string;
}

/** The requirements of a supergraph. */
export interface RequirementIndex {
  /** What a field requires with arguments, in a subgraph. */
  readonly of: (subgraph: string, type: string, field: string) => readonly Requirement[];
  /** Whether any field is required with different arguments. */
  readonly mayDiffer: boolean;
}

/** The index of one supergraph, made once. */
export const requirementsOf = perSupergraph(makeIndex);

function makeIndex({ sdl, planner }: Supergraph): RequirementIndex {
  const graphs = new Map(planner.supergraph.subgraphNameToGraphEnumValue());
  const byField = new Map<string, readonly Requirement[]>();
  visit(parse(sdl, { noLocation: true }), {
    enter: (type) => {
      if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) return;
      for (const field of type.fields ?? []) {
        for (const use of directivesNamed(field, 'join__field')) {
          const { graph, requires } = argumentsOf(use);
          if (typeof graph !== 'string' || typeof requires !== 'string') continue;
          const [selection] = parse(`{${requires}}`, { noLocation: true }).definitions;
          if (selection?.kind !== Kind.OPERATION_DEFINITION) continue;
          byField.set(`${graph} ${type.name.value}.${field.name.value}`, readSelection(selection.selectionSet, []));
        }
      }
    },
  });
  const texts = new Map<string, string>();
  const mayDiffer = [...byField.values()].flat().some(({ path, text }) => {
    const name = path.at(-1) ?? '';
    const before = texts.get(name) ?? text;
    texts.set(name, before);
    return before !== text;
  });
  return {
    of: (subgraph, type, field) => byField.get(`${graphs.get(subgraph) ?? ''} ${type}.${field}`) ?? [],
    mayDiffer,
  };
}

function readSelection({ selections }: SelectionSetNode, at: readonly string[]): Requirement[] {
  return selections.flatMap((one) => {
    if (one.kind === Kind.FRAGMENT_SPREAD) return [];
    const path = one.kind === Kind.FIELD ? [...at, one.name.value] : at;
    const inner = one.selectionSet ? readSelection(one.selectionSet, path) : [];
    const given = one.kind === Kind.FIELD ? (one.arguments ?? []) : [];
    // A field that takes arguments is told apart by what it is given, also when that is nothing.
    if (one.kind !== Kind.FIELD) return inner;
    return [
      {
        path,
        given,
        text: given
          .map((argument) => print(argument))
          .sort()
          .join(),
      },
      ...inner,
    ];
  });
}
