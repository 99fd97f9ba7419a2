// `@fromContext`: arguments that a subgraph wants filled in from the objects around an entity.
import type { FetchNode } from '@apollo/query-planner';
import { Kind, parse, print, stripIgnoredCharacters, visit } from 'graphql';
import type { ASTNode, SelectionSetNode } from 'graphql';
import { isDataObject, type DataObject } from './data.ts';
import type { Place } from './path.ts';
import { fits, fragmentPrefix } from './rewrite.ts';
import type { TypeIndex } from './types.ts';

type ContextRewrite = NonNullable<FetchNode['contextRewrites']>[number];

/** The variables that an entity takes from the objects around it. A path goes up one object for each `..`. */
export function readContext(rewrites: readonly ContextRewrite[], place: Place, types: TypeIndex): DataObject {
  const variables: DataObject = {};
  for (const { path, renameKeyTo } of rewrites) {
    if (variables[renameKeyTo] !== undefined) continue;
    const up = path.filter((element) => element === '..').length;
    let value: unknown = up === 0 ? place.object : place.ancestors[place.ancestors.length - up];
    for (const element of path.slice(up)) {
      if (!isDataObject(value)) break;
      if (!element.startsWith(fragmentPrefix)) value = value[element];
      else if (!fits(value, element, types)) value = undefined;
    }
    if (value !== undefined) variables[renameKeyTo] = value;
  }
  return variables;
}

/**
 * The text of a fetch for entities that have some of its context variables. One fetch may be for entities in contexts of
 * several types, and fields that are asked for in one of them only have no value in the others: they are left out there.
 * Undefined when nothing is left to ask.
 */
export function contextQueries(node: FetchNode): (variables: DataObject) => string | undefined {
  const names = [...new Set((node.contextRewrites ?? []).map(({ renameKeyTo }) => renameKeyTo))];
  const texts = new Map<string, string | undefined>();
  return (variables) => {
    const missing = names.filter((name) => variables[name] === undefined);
    if (missing.length === 0) return node.operation;
    const key = missing.join(' ');
    if (!texts.has(key)) texts.set(key, withoutVariables(node.operation, new Set(missing)));
    return texts.get(key);
  };
}

function withoutVariables(query: string, missing: ReadonlySet<string>): string | undefined {
  const left = { isEmpty: false };
  const uses = (node: ASTNode): boolean => {
    let found = false;
    visit(node, { Variable: ({ name }) => void (found ||= missing.has(name.value)) });
    return found;
  };
  const document = visit(parse(query, { noLocation: true }), {
    VariableDefinition: ({ variable }) => (missing.has(variable.name.value) ? null : undefined),
    Field: (field) => ((field.arguments ?? []).some(uses) ? null : undefined),
    SelectionSet: {
      leave(set): SelectionSetNode | undefined {
        if (set.selections.length > 0) return undefined;
        const typename = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } } as const;
        return { ...set, selections: [typename] };
      },
    },
    OperationDefinition: {
      leave(operation) {
        const [entities] = operation.selectionSet.selections;
        left.isEmpty = entities?.kind !== Kind.FIELD || isOnlyTypename(entities.selectionSet);
        // The client's variables that went with those fields: a subgraph refuses what is not used.
        const used = new Set<string>();
        visit(operation.selectionSet, { Variable: ({ name }) => void used.add(name.value) });
        const definitions = operation.variableDefinitions?.filter(({ variable }) => used.has(variable.name.value));
        return { ...operation, variableDefinitions: definitions ?? [] };
      },
    },
  });
  return left.isEmpty ? undefined : stripIgnoredCharacters(print(document));
}

const isOnlyTypename = (set: SelectionSetNode | undefined): boolean =>
  (set?.selections ?? []).every((one) =>
    one.kind === Kind.FIELD
      ? one.name.value === '__typename'
      : one.kind === Kind.INLINE_FRAGMENT && isOnlyTypename(one.selectionSet),
  );
