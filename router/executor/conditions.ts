// @skip and @include: which variables decide them, and whether a selection stands.
import { GraphQLIncludeDirective, GraphQLSkipDirective, Kind } from 'graphql';
import type { DirectiveNode, SelectionNode, SelectionSetNode } from 'graphql';
import type { Selectable } from './shape.ts';

/** Whether a selection is included. Variables are coerced, so one that decides is a boolean. */
export function isIncluded(selection: SelectionNode, variables: Readonly<Record<string, unknown>>): boolean {
  for (const directive of selection.directives ?? []) {
    const condition = conditionOf(directive);
    if (!condition) continue;
    const value =
      condition.kind === Kind.VARIABLE
        ? variables[condition.name.value] === true
        : condition.kind === Kind.BOOLEAN && condition.value;
    if (value === (directive.name.value === GraphQLSkipDirective.name)) return false;
  }
  return true;
}

/** Whether a directive is one of the two. */
export function isCondition(directive: DirectiveNode): boolean {
  return directive.name.value === GraphQLSkipDirective.name || directive.name.value === GraphQLIncludeDirective.name;
}

/** The names of the variables that decide @skip and @include anywhere below. */
export function conditionVariablesOf({ selectionSet, fragments }: Selectable): string[] {
  const names = new Set<string>();
  const visited = new Set<string>();
  const visit = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      for (const directive of selection.directives ?? []) {
        const value = conditionOf(directive);
        if (value?.kind === Kind.VARIABLE) names.add(value.name.value);
      }
      if (selection.kind !== Kind.FRAGMENT_SPREAD) {
        if (selection.selectionSet) visit(selection.selectionSet);
      } else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value);
        const fragment = fragments.get(selection.name.value);
        if (fragment) visit(fragment.selectionSet);
      }
    }
  };
  visit(selectionSet);
  return [...names];
}

function conditionOf(directive: DirectiveNode) {
  return isCondition(directive) ? directive.arguments?.find(({ name }) => name.value === 'if')?.value : undefined;
}
