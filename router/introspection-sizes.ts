// How long the lists of a schema's introspection are. The router answers introspection itself, so it knows what that costs.
import { isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import type { GraphQLSchema } from 'graphql';

const known = new WeakMap<GraphQLSchema, ReadonlyMap<string, number>>();

/** Sizes by `Type.field`: exact for the schema's own lists, the mean for those of its types. Made once for each schema. */
export function introspectionSizes(schema: GraphQLSchema): ReadonlyMap<string, number> {
  let sizes = known.get(schema);
  if (sizes === undefined) {
    sizes = measure(schema);
    known.set(schema, sizes);
  }
  return sizes;
}

function measure(schema: GraphQLSchema): ReadonlyMap<string, number> {
  const types = Object.values(schema.getTypeMap());
  const composite = types.filter((type) => isObjectType(type) || isInterfaceType(type));
  const fields = composite.flatMap((type) => Object.values(type.getFields()));
  const count = <T>(of: readonly T[], length: (one: T) => number): number =>
    of.reduce((sum, one) => sum + length(one), 0);
  const mean = (total: number, among: number): number => Math.max(1, Math.ceil(total / Math.max(1, among)));
  return new Map([
    ['__Schema.types', types.length],
    ['__Schema.directives', schema.getDirectives().length],
    ['__Type.fields', mean(fields.length, types.length)],
    [
      '__Type.interfaces',
      mean(
        count(composite, (type) => type.getInterfaces().length),
        types.length,
      ),
    ],
    ['__Type.possibleTypes', 1],
    [
      '__Type.enumValues',
      mean(
        count(types.filter(isEnumType), (type) => type.getValues().length),
        types.length,
      ),
    ],
    [
      '__Type.inputFields',
      mean(
        count(types.filter(isInputObjectType), (type) => Object.keys(type.getFields()).length),
        types.length,
      ),
    ],
    [
      '__Field.args',
      mean(
        count(fields, ({ args }) => args.length),
        fields.length,
      ),
    ],
    ['__Directive.args', 1],
  ]);
}
