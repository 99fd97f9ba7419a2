// Writes the text of a fetch anew, for a part of what the planner has put into it.
import type { FetchNode } from '@apollo/query-planner';
import { Kind, parse, print, stripIgnoredCharacters, visit } from 'graphql';
import type { FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionNode, SelectionSetNode } from 'graphql';

/** A fetch of entities, to be filled in. */
const template = parse('query($representations:[_Any!]!){_entities(representations:$representations){__typename}}', {
  noLocation: true,
}).definitions[0] as OperationDefinitionNode;

/** What is asked of entities, as the only field of a fetch. */
export function entitiesWith(selections: readonly SelectionNode[]): FieldNode {
  const [entities] = template.selectionSet.selections as [FieldNode];
  return { ...entities, selectionSet: setOf(selections) };
}

/** The text of a fetch with another selection, and the variables in it. */
export function textOf(
  { variableUsages = [] }: FetchNode,
  operation: OperationDefinitionNode,
  selections: readonly SelectionNode[],
  kind = operation.operation,
): { readonly operation: string; readonly variableUsages: string[]; readonly used: ReadonlySet<string> } {
  const used = new Set<string>();
  const selectionSet = setOf(selections);
  visit(selectionSet, { Variable: ({ name }) => void used.add(name.value) });
  const own = operation.variableDefinitions ?? [];
  const isOfEntities = own.some(({ variable }) => variable.name.value === 'representations');
  const known = isOfEntities ? own : [...(template.variableDefinitions ?? []), ...own];
  const variableDefinitions = known.filter(({ variable }) => used.has(variable.name.value));
  return {
    operation: stripIgnoredCharacters(print({ ...operation, operation: kind, variableDefinitions, selectionSet })),
    variableUsages: variableUsages.filter((name) => used.has(name)),
    used,
  };
}

export const setOf = (selections: readonly SelectionNode[]): SelectionSetNode => ({
  kind: Kind.SELECTION_SET,
  selections,
});

export const fragmentOn = (type: string, selections: readonly SelectionNode[]): InlineFragmentNode => ({
  kind: Kind.INLINE_FRAGMENT,
  typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: type } },
  selectionSet: setOf(selections),
});

export const typenameField: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };
