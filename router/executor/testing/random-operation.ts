// Makes random operations over a schema: arguments, variables, aliases (also of key fields), fragments, conditions, __typename.
import {
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
  validate,
} from 'graphql';
import type { DocumentNode, GraphQLCompositeType, GraphQLField, GraphQLInputType, GraphQLSchema } from 'graphql';
import type { Random } from './random.ts';

/** A valid operation with variables for it. */
export interface RandomOperation {
  readonly text: string;
  readonly document: DocumentNode;
  /** Draws other values for the same variables. */
  readonly drawVariables: () => Record<string, unknown>;
}

/** Makes one. Drawing goes on until one is valid. */
export function randomOperation(
  schema: GraphQLSchema,
  kind: 'query' | 'mutation' | 'subscription',
  random: Random,
): RandomOperation {
  for (;;) {
    const operation = draw(schema, kind, random);
    const document = parse(operation.text);
    if (isValid(schema, document)) return { ...operation, document };
  }
}

function isValid(schema: GraphQLSchema, document: DocumentNode): boolean {
  try {
    return validate(schema, document).length === 0;
  } catch {
    // graphql-js throws where a variable conditions the root field of a subscription.
    return false;
  }
}

const aliases = ['id', 'name', 'sku', 'x', 'y', 'constructor', 'a', 'code', '__proto__', 'title', 'price'];

function draw(
  schema: GraphQLSchema,
  kind: 'query' | 'mutation' | 'subscription',
  random: Random,
): Omit<RandomOperation, 'document'> {
  const variables = new Map<string, { readonly type: GraphQLInputType | undefined; readonly draw: () => unknown }>();
  const fragments: string[] = [];
  const isPlain = random.chance(0.3);

  const variable = (type: GraphQLInputType | undefined, drawValue: () => unknown): string => {
    const name = `v${variables.size}`;
    variables.set(name, { type, draw: drawValue });
    return `$${name}`;
  };
  const condition = (): string => {
    if (isPlain || !random.chance(0.12)) return '';
    const value = random.chance(0.7) ? variable(undefined, () => random.chance(0.5)) : String(random.chance(0.5));
    return ` @${random.pick(['skip', 'include'])}(if: ${value})`;
  };
  const argumentsOf = (field: GraphQLField<unknown, unknown>): string => {
    const given = field.args.flatMap(({ name, type }) => {
      if (!isNonNullType(type) && random.chance(0.5)) return [];
      const make = () => inputValue(type, random, 0);
      return [`${name}: ${random.chance(0.4) ? variable(type, make) : literal(make(), type)}`];
    });
    return given.length > 0 ? `(${given.join(', ')})` : '';
  };

  const selection = (type: GraphQLCompositeType, depth: number): string => {
    const parts: string[] = [];
    const fields = 'getFields' in type ? Object.values(type.getFields()) : [];
    const wanted = 1 + random.below(isPlain ? 3 : 4);
    for (let count = 0; count < wanted; count++) {
      const dice = random.next();
      if (fields.length === 0 || (!isPlain && dice < 0.22)) parts.push(fragment(type, depth));
      else if (dice > 0.93) parts.push(random.pick(['__typename', 't: __typename', 'id: __typename']));
      else parts.push(fieldSelection(random.pick(fields), depth));
    }
    return `{ ${parts.join(' ')} }`;
  };

  const fieldSelection = (field: GraphQLField<unknown, unknown>, depth: number): string => {
    const named = getNamedType(field.type);
    const alias = !isPlain && random.chance(0.2) ? `${random.pick(aliases)}: ` : '';
    const head = `${alias}${field.name}${argumentsOf(field)}${condition()}`;
    if (isLeafType(named)) return head;
    if (depth <= 0) return '__typename';
    return `${head} ${selection(named as GraphQLCompositeType, depth - 1)}`;
  };

  const fragment = (type: GraphQLCompositeType, depth: number): string => {
    const conditions = isAbstractType(type)
      ? [type, ...schema.getPossibleTypes(type)]
      : [type, ...(isObjectType(type) ? type.getInterfaces() : [])];
    const on = random.pick(conditions);
    const body = selection(on, depth);
    if (random.chance(0.35)) {
      fragments.push(`fragment F${fragments.length} on ${on.name} ${body}`);
      return `...F${fragments.length - 1}${condition()}`;
    }
    return `...${on === type && random.chance(0.3) ? '' : ` on ${on.name}`}${condition()} ${body}`;
  };

  const root = schema.getRootType(kind as never);
  if (!root) throw new Error(`The schema has no ${kind} type.`);
  const body =
    kind === 'subscription'
      ? `{ ${fieldSelection(random.pick(Object.values(root.getFields())), 3)} }`
      : selection(root, 2 + random.below(3));
  const definitions = [...variables].map(([name, { type }]) => `$${name}: ${type ? String(type) : 'Boolean!'}`);
  const head = `${kind}${random.chance(0.3) ? ' Named' : ''}${definitions.length > 0 ? `(${definitions.join(', ')})` : ''}`;
  return {
    text: `${head} ${body}\n${fragments.join('\n')}`,
    drawVariables: () => Object.fromEntries([...variables].map(([name, { draw: value }]) => [name, value()])),
  };
}

function inputValue(type: GraphQLInputType, random: Random, depth: number): unknown {
  if (isNonNullType(type)) return inputValue(type.ofType, random, depth);
  if (isListType(type))
    return Array.from({ length: random.below(3) }, () => inputValue(type.ofType, random, depth + 1));
  if (isInputObjectType(type)) {
    return Object.fromEntries(
      Object.values(type.getFields())
        .filter((field) => isNonNullType(field.type) || random.chance(0.5))
        .map((field) => [field.name, inputValue(field.type, random, depth + 1)]),
    );
  }
  if (isEnumType(type)) return random.pick(type.getValues()).name;
  const number = random.below(20);
  switch (type.name) {
    case 'Int':
      return number;
    case 'Float':
      return number / 4;
    case 'Boolean':
      return number % 2 === 0;
    default:
      return `s${number}`;
  }
}

function literal(value: unknown, type: GraphQLInputType): string {
  if (isNonNullType(type)) return literal(value, type.ofType);
  if (isListType(type) && Array.isArray(value))
    return `[${value.map((item) => literal(item, type.ofType)).join(', ')}]`;
  if (isInputObjectType(type)) {
    const fields = Object.entries(value as Record<string, unknown>).map(([name, held]) => {
      const field = type.getFields()[name];
      return `${name}: ${field ? literal(held, field.type) : 'null'}`;
    });
    return `{ ${fields.join(', ')} }`;
  }
  return isEnumType(type) ? String(value) : JSON.stringify(value);
}
