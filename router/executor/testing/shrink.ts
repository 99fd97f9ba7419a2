// Makes an operation that shows a difference as small as it can be, so that a person can read it.
import { Kind, parse, print, validate, visit, BREAK } from 'graphql';
import type { ASTNode, DocumentNode, GraphQLSchema } from 'graphql';

/** Removes parts of a document for as long as `stillDiffers` holds of what is left. */
export async function shrink(
  schema: GraphQLSchema,
  document: DocumentNode,
  stillDiffers: (document: DocumentNode) => Promise<boolean>,
): Promise<DocumentNode> {
  let smallest = document;
  for (let at = 0; ;) {
    const { changed, document: next } = withoutPart(smallest, at);
    if (!changed) return smallest;
    const isSmaller = next !== undefined && isValid(schema, next) && (await stillDiffers(next));
    if (isSmaller) smallest = next;
    else at++;
  }
}

const removable = new Set<string>([
  Kind.FIELD,
  Kind.INLINE_FRAGMENT,
  Kind.FRAGMENT_SPREAD,
  Kind.DIRECTIVE,
  Kind.ARGUMENT,
  Kind.FRAGMENT_DEFINITION,
  Kind.VARIABLE_DEFINITION,
]);

/** The document with its n-th candidate removed, or a fragment replaced by what is in it. */
function withoutPart(document: DocumentNode, index: number): { changed: boolean; document: DocumentNode | undefined } {
  let count = 0;
  const state = { changed: false };
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  const candidate = (): boolean => {
    if (state.changed || count++ !== index) return false;
    state.changed = true;
    return true;
  };
  const edited: DocumentNode = visit(document, {
    enter(node: ASTNode) {
      if (state.changed) return undefined;
      if (node.kind === Kind.FRAGMENT_SPREAD && candidate()) {
        const fragment = fragments.get(node.name.value);
        if (!fragment) return null;
        return {
          kind: Kind.INLINE_FRAGMENT,
          typeCondition: fragment.typeCondition,
          directives: node.directives ?? [],
          selectionSet: fragment.selectionSet,
        };
      }
      if (removable.has(node.kind) && candidate()) return null;
      if (node.kind === Kind.FIELD && node.alias && candidate()) return { ...node, alias: undefined };
      return undefined;
    },
  });
  const { changed } = state;
  if (!changed) return { changed, document: undefined };
  try {
    return { changed, document: parse(print(withoutUnused(edited))) };
  } catch {
    return { changed, document: undefined };
  }
}

function withoutUnused(document: DocumentNode): DocumentNode {
  const isUsed = (kind: string, name: string): boolean => {
    const found = { one: false };
    for (const definition of document.definitions) {
      visit(definition, {
        enter(node, key) {
          const isOfKind = node.kind === Kind.FRAGMENT_SPREAD || node.kind === Kind.VARIABLE;
          found.one ||= isOfKind && node.kind === kind && node.name.value === name && key !== 'variable';
          return found.one ? BREAK : undefined;
        },
      });
    }
    return found.one;
  };
  return {
    ...document,
    definitions: document.definitions
      .filter((one) => one.kind !== Kind.FRAGMENT_DEFINITION || isUsed(Kind.FRAGMENT_SPREAD, one.name.value))
      .map((one) =>
        one.kind === Kind.OPERATION_DEFINITION && one.variableDefinitions
          ? {
              ...one,
              variableDefinitions: one.variableDefinitions.filter(({ variable }) =>
                isUsed(Kind.VARIABLE, variable.name.value),
              ),
            }
          : one,
      ),
  };
}

function isValid(schema: GraphQLSchema, document: DocumentNode): boolean {
  try {
    return validate(schema, document).length === 0;
  } catch {
    return false;
  }
}
