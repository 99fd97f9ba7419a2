// Leaves out what no object can match, as in `... on Film { ... on Named { ... on Book { title } } }`. It is valid and brings nothing, but
// the planner (2.14.4) follows it through interface objects (`@interfaceObject`), and then forgets to ask for the types by which to leave it out.
import { isAbstractType, Kind, visit } from 'graphql';
import type { ASTNode, DocumentNode, FragmentDefinitionNode, InlineFragmentNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import { typenameField } from './fetch-text.ts';
import { hasInterfaceObjects } from './interface-object.ts';

type Ancestors = readonly (ASTNode | readonly ASTNode[])[];

/**
 * The document without fragments whose conditions exclude each other, for supergraphs with interface objects; its named fragments stand in
 * line then, as each may match at one place and not at another. A selection of which nothing is left asks for `__typename`.
 */
export function withoutUnmatchable(document: DocumentNode, supergraph: Supergraph): DocumentNode {
  if (!hasInterfaceObjects(supergraph)) return document;
  const { schema } = supergraph;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of document.definitions) {
    if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  }
  const typesOf = (condition: string): readonly string[] => {
    const type = schema.getType(condition);
    return isAbstractType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : [condition];
  };
  const isMatchable = (fragment: InlineFragmentNode, ancestors: Ancestors): boolean => {
    const [first, ...others] = conditionsOf([...ancestors, fragment]).map(typesOf);
    return first === undefined || first.some((type) => others.every((types) => types.includes(type)));
  };
  return visit(document, {
    FragmentDefinition: () => null,
    FragmentSpread({ name, directives }, _key, _parent, _path, ancestors) {
      const { typeCondition, selectionSet } = fragments.get(name.value) ?? {};
      if (!typeCondition || !selectionSet) return undefined;
      const inline: InlineFragmentNode = {
        kind: Kind.INLINE_FRAGMENT,
        typeCondition,
        selectionSet,
        ...(directives && { directives }),
      };
      return isMatchable(inline, ancestors) ? inline : null;
    },
    InlineFragment: (node, _key, _parent, _path, ancestors) => (isMatchable(node, ancestors) ? undefined : null),
    SelectionSet: {
      leave: (node) => (node.selections.length > 0 ? undefined : { ...node, selections: [typenameField] }),
    },
  });
}

/** The type conditions between a node and the field or operation that it stands in. */
function conditionsOf(nodes: Ancestors): string[] {
  const conditions: string[] = [];
  for (const node of nodes.toReversed()) {
    if (!('kind' in node)) continue;
    if (node.kind === Kind.FIELD || node.kind === Kind.OPERATION_DEFINITION) break;
    if (node.kind === Kind.INLINE_FRAGMENT && node.typeCondition) conditions.push(node.typeCondition.name.value);
  }
  return conditions;
}
