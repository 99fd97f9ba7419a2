// Makes a schema enforce its own @authenticated and @requiresScopes, so that the SDL is the one place that says who may what.
import { defaultFieldResolver, GraphQLList, isObjectType, valueFromAST, GraphQLString, GraphQLNonNull } from 'graphql';
import type { ConstDirectiveNode, GraphQLSchema } from 'graphql';
import { CodedError } from './errors.ts';
import { requireViewer } from './identity.ts';
import type { Viewer } from './identity.ts';

const scopesType = new GraphQLList(new GraphQLList(new GraphQLNonNull(GraphQLString)));

/** Wraps the resolver of each field that carries one of the directives. Errors: UNAUTHENTICATED, FORBIDDEN. */
export function enforceAuthDirectives(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const rule = authRule(field.astNode?.directives ?? []);
      if (rule === undefined) continue;
      const resolve = field.resolve ?? defaultFieldResolver;
      field.resolve = (source, args, context: { readonly viewer: Viewer | undefined }, info) => {
        rule(context.viewer);
        return resolve(source, args, context, info);
      };
    }
  }
  return schema;
}

/** The check that a field's directives ask for; undefined when it is open to everyone. */
function authRule(directives: readonly ConstDirectiveNode[]): ((viewer: Viewer | undefined) => void) | undefined {
  const requiresScopes = directives.find((directive) => directive.name.value === 'requiresScopes');
  if (requiresScopes !== undefined) {
    const argument = requiresScopes.arguments?.find(({ name }) => name.value === 'scopes');
    const alternatives = (valueFromAST(argument?.value, scopesType) ?? []) as readonly (readonly string[])[];
    return (viewer) => {
      const { scopes } = requireViewer(viewer);
      if (!alternatives.some((needed) => needed.every((scope) => scopes.has(scope)))) throw new CodedError('FORBIDDEN');
    };
  }
  if (directives.some((directive) => directive.name.value === 'authenticated')) {
    return (viewer) => void requireViewer(viewer);
  }
  return undefined;
}
