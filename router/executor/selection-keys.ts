// Which keys a fetch brings to each object that it is about. Only errors ask for it, so the text is parsed when one comes.
import type { FetchNode } from '@apollo/query-planner';
import { isNonNullType, Kind, parse } from 'graphql';
import type { FragmentDefinitionNode, GraphQLSchema, SelectionSetNode } from 'graphql';

/** The top keys of what a fetch asks for, below `_entities` if it fetches entities. Worked out at the first call. */
export function keysOfFetch(node: FetchNode): () => ReadonlySet<string> {
  let keys: ReadonlySet<string> | undefined;
  return () => (keys ??= new Set(topFields(node).map(({ key }) => key)));
}

/** The keys of a mutation's root fields that the API schema says are never null and that no condition leaves out. */
export function nonNullKeysOf(node: FetchNode, schema: GraphQLSchema): string[] {
  const fields = schema.getMutationType()?.getFields() ?? {};
  return topFields(node)
    .filter(({ name, isConditional }) => !isConditional && isNonNullType(fields[name]?.type))
    .map(({ key }) => key);
}

interface TopField {
  readonly key: string;
  readonly name: string;
  readonly isConditional: boolean;
}

function topFields(node: FetchNode): TopField[] {
  const { definitions } = parse(node.operation, { noLocation: true });
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  const fields: TopField[] = [];
  const visit = (set: SelectionSetNode | undefined, isAboveEntities: boolean, isUnderCondition: boolean): void => {
    for (const selection of set?.selections ?? []) {
      const isConditional = isUnderCondition || (selection.directives?.length ?? 0) > 0;
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        visit(fragments.get(selection.name.value)?.selectionSet, isAboveEntities, isConditional);
      } else if (selection.kind === Kind.INLINE_FRAGMENT || isAboveEntities) {
        visit(selection.selectionSet, isAboveEntities && selection.kind === Kind.INLINE_FRAGMENT, isConditional);
      } else {
        const name = selection.name.value;
        fields.push({ key: selection.alias?.value ?? name, name, isConditional });
      }
    }
  };
  for (const one of definitions) {
    if (one.kind === Kind.OPERATION_DEFINITION) visit(one.selectionSet, node.requires !== undefined, false);
  }
  return fields;
}
