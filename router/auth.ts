// Who may have which field of an operation. HTTP and sockets ask the same functions; what is not clearly allowed is refused.
// The rules of an operation are worked out once, and the answer is kept for each set of met requirements.
import {
  getNamedType,
  GraphQLError,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLOutputType,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import { errorTable } from '../service/errors.ts';
import type { Viewer } from '../service/identity.ts';
import type { Requirement } from './auth-rules.ts';
import type { Supergraph } from './supergraph.ts';

/** The part of an operation that authorisation looks at. */
export interface AuthorizedOperation {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
}

/** What of an operation a viewer may have. */
export interface Permission {
  /** One for each field that is refused, with its path; `@` stands for any index of a list. Empty: all is allowed. */
  readonly errors: readonly GraphQLError[];
  /** The document without those fields. Undefined: nothing is left of the operation. The same document when all is allowed. */
  readonly document: DocumentNode | undefined;
}

interface FieldUse {
  readonly path: readonly string[];
  readonly requirements: readonly Requirement[];
}

interface OperationRules {
  readonly supergraph: Supergraph;
  readonly uses: readonly FieldUse[];
  /** Each requirement once, so that a viewer is described by which of them are met. */
  readonly requirements: readonly Requirement[];
  readonly permissions: Map<string, Permission>;
}

const maxReportedErrors = 50;
const maxPermissions = 64;
const rulesByOperation = new WeakMap<OperationDefinitionNode, OperationRules>();

/** The errors of all that the viewer may not have; empty when the whole operation is allowed. */
export function authorize(operation: AuthorizedOperation, viewer: Viewer | undefined): readonly GraphQLError[] {
  return permit(operation, viewer).errors;
}

/** What of the operation the viewer may have. The document must have passed validation and the limits. */
export function permit(operation: AuthorizedOperation, viewer: Viewer | undefined): Permission {
  const rules = rulesOf(operation);
  const met = rules.requirements.map((requirement) => isMet(requirement, viewer));
  if (!met.includes(false)) return { errors: [], document: operation.document };
  const key = `${viewer === undefined ? 'a' : 'v'}${met.map(Number).join('')}`;
  let permission = rules.permissions.get(key);
  if (permission === undefined) {
    const unmet = new Set(rules.requirements.filter((_, index) => met[index] !== true));
    permission = {
      errors: refusals(rules.uses, unmet, viewer),
      document: withoutFields(operation, unmet),
    };
    if (rules.permissions.size >= maxPermissions) rules.permissions.clear();
    rules.permissions.set(key, permission);
  }
  return permission;
}

function isMet(requirement: Requirement, viewer: Viewer | undefined): boolean {
  if (viewer === undefined) return false;
  return requirement.anyOf?.some((all) => all.every((scope) => viewer.scopes.has(scope))) ?? true;
}

function refusals(
  uses: readonly FieldUse[],
  unmet: ReadonlySet<Requirement>,
  viewer: Viewer | undefined,
): readonly GraphQLError[] {
  const refused = new Map<string, GraphQLError>();
  for (const { path, requirements } of uses) {
    if (refused.size >= maxReportedErrors) break;
    if (!requirements.some((requirement) => unmet.has(requirement))) continue;
    // What stands inside a refused field is not told apart from it.
    const keys = path.map((_, index) => path.slice(0, index + 1).join('.'));
    if (keys.some((key) => refused.has(key))) continue;
    const code = viewer === undefined ? 'UNAUTHENTICATED' : 'FORBIDDEN';
    refused.set(keys.at(-1) ?? '', new GraphQLError(errorTable[code].message, { path, extensions: { code } }));
  }
  return [...refused.values()];
}

/** Removes the fields whose requirements are not met; a selection set that is left empty asks for `__typename`. */
function withoutFields(
  { supergraph, document, operation }: AuthorizedOperation,
  unmet: ReadonlySet<Requirement>,
): DocumentNode | undefined {
  const typeInfo = new TypeInfo(supergraph.schema);
  const left = { nothing: false };
  const filtered: DocumentNode = visit(
    document,
    visitWithTypeInfo(typeInfo, {
      Field(field) {
        const parent = typeInfo.getParentType();
        const definition = typeInfo.getFieldDef();
        if (!isCompositeType(parent)) return null;
        const requirements = requirementsOf(supergraph, parent, field, definition ?? undefined);
        return requirements.some((requirement) => unmet.has(requirement)) ? null : undefined;
      },
      SelectionSet: {
        leave(set) {
          return set.selections.length > 0 ? undefined : { ...set, selections: [typename] };
        },
      },
      OperationDefinition: {
        leave(definition) {
          if (definition.name?.value !== operation.name?.value) return undefined;
          left.nothing = definition.selectionSet.selections.every((selection) => selection === typename);
          return undefined;
        },
      },
    }),
  );
  return left.nothing ? undefined : filtered;
}

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

function rulesOf(authorized: AuthorizedOperation): OperationRules {
  const { supergraph, operation } = authorized;
  const known = rulesByOperation.get(operation);
  if (known?.supergraph === supergraph) return known;
  const uses = supergraph.authRules.isEmpty ? [] : fieldUses(authorized);
  const requirements = [...new Set(uses.flatMap((use) => use.requirements))];
  const rules = { supergraph, uses, requirements, permissions: new Map<string, Permission>() };
  rulesByOperation.set(operation, rules);
  return rules;
}

/** Every field of the operation that has requirements, outer before inner, fragments followed. */
function fieldUses({ supergraph, document, operation }: AuthorizedOperation): FieldUse[] {
  const { schema } = supergraph;
  const uses: FieldUse[] = [];
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }

  const typeNamed = (name: string | undefined, otherwise: GraphQLCompositeType): GraphQLCompositeType => {
    const type = name === undefined ? otherwise : schema.getType(name);
    return isCompositeType(type) ? type : otherwise;
  };
  const walk = (set: SelectionSetNode, parent: GraphQLCompositeType, path: readonly string[]): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        walk(selection.selectionSet, typeNamed(selection.typeCondition?.name.value, parent), path);
      } else if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value);
        if (fragment !== undefined) {
          walk(fragment.selectionSet, typeNamed(fragment.typeCondition.name.value, parent), path);
        }
      } else {
        const definition =
          isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[selection.name.value] : undefined;
        const requirements = requirementsOf(supergraph, parent, selection, definition);
        const here = [...path, (selection.alias ?? selection.name).value];
        if (requirements.length > 0) uses.push({ path: here, requirements });
        const type = definition === undefined ? undefined : getNamedType(definition.type);
        if (definition !== undefined && selection.selectionSet !== undefined && isCompositeType(type)) {
          walk(selection.selectionSet, type, [...here, ...listMarks(definition.type)]);
        }
      }
    }
  };
  const root = schema.getRootType(operation.operation);
  if (root) walk(operation.selectionSet, root, []);
  return uses;
}

/** The rules of the type a field is selected on, of the field itself, and of the type that it returns. */
function requirementsOf(
  { schema, authRules }: Supergraph,
  parent: GraphQLCompositeType,
  field: FieldNode,
  definition: GraphQLField<unknown, unknown> | undefined,
): Requirement[] {
  const name = field.name.value;
  const found: (Requirement | undefined)[] = [authRules.types.get(parent.name)];
  if (!name.startsWith('__')) {
    // On an abstract type the object is not known yet, so the rules of each that it may be hold together.
    const owners = isAbstractType(parent) ? [parent, ...schema.getPossibleTypes(parent)] : [parent];
    for (const owner of owners)
      found.push(authRules.types.get(owner.name), authRules.fields.get(`${owner.name}.${name}`));
    if (definition !== undefined) found.push(authRules.types.get(getNamedType(definition.type).name));
  }
  return [...new Set(found.filter((requirement) => requirement !== undefined))];
}

/** One `@` for each list around the type. */
function listMarks(type: GraphQLOutputType): string[] {
  if (isNonNullType(type)) return listMarks(type.ofType);
  return isListType(type) ? ['@', ...listMarks(type.ofType)] : [];
}
