// What the specification's draft asks of `@defer` beyond what graphql-js 16 checks: each label is a literal and stands once, and
// nothing is deferred at the root of a mutation, whose fields are done in order, or anywhere in a subscription.
import { GraphQLError, Kind } from 'graphql';
import type { ASTVisitor, DirectiveNode, FragmentDefinitionNode, SelectionSetNode, ValidationContext } from 'graphql';

/** A validation rule. */
export function deferRule(context: ValidationContext): ASTVisitor {
  const labels = new Set<string>();
  const report = (message: string, directive: DirectiveNode): void => {
    context.reportError(new GraphQLError(message, { nodes: directive }));
  };
  return {
    Directive(directive) {
      if (directive.name.value !== 'defer') return;
      const label = directive.arguments?.find(({ name }) => name.value === 'label')?.value;
      if (label?.kind === Kind.VARIABLE) report('The label of a "@defer" must not be a variable.', directive);
      if (label?.kind !== Kind.STRING) return;
      if (labels.has(label.value))
        report(`There is more than one "@defer" with the label "${label.value}".`, directive);
      labels.add(label.value);
    },
    OperationDefinition({ operation, selectionSet }) {
      if (operation === 'query') return;
      const isDeep = operation === 'subscription';
      for (const directive of defersIn(selectionSet, isDeep, context, new Set())) {
        if (isNever(directive)) continue;
        report(
          isDeep ? 'A subscription cannot defer.' : 'Fields at the root of a mutation cannot be deferred.',
          directive,
        );
      }
    },
  };
}

/** The `@defer`s of a selection, through fragments; of fields only with `isDeep`. */
function* defersIn(
  { selections }: SelectionSetNode,
  isDeep: boolean,
  context: ValidationContext,
  visited: Set<FragmentDefinitionNode>,
): Generator<DirectiveNode> {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) {
      if (isDeep && selection.selectionSet) yield* defersIn(selection.selectionSet, isDeep, context, visited);
      continue;
    }
    yield* (selection.directives ?? []).filter(({ name }) => name.value === 'defer');
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      yield* defersIn(selection.selectionSet, isDeep, context, visited);
      continue;
    }
    const fragment = context.getFragment(selection.name.value);
    if (!fragment || visited.has(fragment)) continue;
    visited.add(fragment);
    yield* defersIn(fragment.selectionSet, isDeep, context, visited);
  }
}

const isNever = ({ arguments: given }: DirectiveNode): boolean =>
  given?.some(({ name, value }) => name.value === 'if' && value.kind === Kind.BOOLEAN && !value.value) === true;
