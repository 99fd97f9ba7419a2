// Reads who may have which part of a supergraph: `@authenticated`, `@requiresScopes` and `@policy`, on fields and on types.
import { Kind } from 'graphql';
import type { ConstDirectiveNode, DocumentNode, TypeDefinitionNode } from 'graphql';
import { argumentsOf, directivesNamed, linkedDirective, schemaLinks } from './links.ts';

/** What a viewer must bring: a token, and the scopes of at least one of `anyOf` whole. */
export interface Requirement {
  /** Absent: any verified token will do. Empty: nobody has it. */
  readonly anyOf?: readonly (readonly string[])[];
}

/** The rules of a supergraph. */
export interface AuthRules {
  /** By type: objects, interfaces, scalars, enums. */
  readonly types: ReadonlyMap<string, Requirement>;
  /** By `Type.field`. */
  readonly fields: ReadonlyMap<string, Requirement>;
  /** Whether there is no rule at all. */
  readonly isEmpty: boolean;
}

/** Of a supergraph that asks nothing of anybody. */
export const noAuthRules: AuthRules = { types: new Map(), fields: new Map(), isEmpty: true };

const specs = 'https://specs.apollo.dev';
const typeKinds: ReadonlySet<string> = new Set([
  Kind.OBJECT_TYPE_DEFINITION,
  Kind.INTERFACE_TYPE_DEFINITION,
  Kind.SCALAR_TYPE_DEFINITION,
  Kind.ENUM_TYPE_DEFINITION,
]);

/** Reads every rule of a supergraph document. A `@policy` is one that nobody meets, as no policy engine stands behind it. */
export function readAuthRules(document: DocumentNode): AuthRules {
  const links = schemaLinks(document);
  const authenticated = linkedDirective(links, `${specs}/authenticated`, 'authenticated');
  const requiresScopes = linkedDirective(links, `${specs}/requiresScopes`, 'requiresScopes');
  const policy = linkedDirective(links, `${specs}/policy`, 'policy');
  const types = new Map<string, Requirement>();
  const fields = new Map<string, Requirement>();

  const requirementOf = (node: { readonly directives?: readonly ConstDirectiveNode[] }): Requirement | undefined => {
    if (policy !== undefined && directivesNamed(node, policy).length > 0) return { anyOf: [] };
    const [scoped] = requiresScopes === undefined ? [] : directivesNamed(node, requiresScopes);
    if (scoped !== undefined) return { anyOf: toScopes(argumentsOf(scoped)['scopes']) };
    return authenticated !== undefined && directivesNamed(node, authenticated).length > 0 ? {} : undefined;
  };

  for (const definition of document.definitions) {
    if (!typeKinds.has(definition.kind)) continue;
    const type = definition as TypeDefinitionNode;
    const requirement = requirementOf(type);
    if (requirement !== undefined) types.set(type.name.value, requirement);
    for (const field of 'fields' in type ? (type.fields ?? []) : []) {
      const ofField = requirementOf(field);
      if (ofField !== undefined) fields.set(`${type.name.value}.${field.name.value}`, ofField);
    }
  }
  return { types, fields, isEmpty: types.size === 0 && fields.size === 0 };
}

/** What cannot be read becomes an empty list, which nobody meets. */
function toScopes(value: unknown): string[][] {
  if (!Array.isArray(value)) return [];
  return (value as unknown[]).map((group) => (Array.isArray(group) ? group.map(String) : [String(group)]));
}
