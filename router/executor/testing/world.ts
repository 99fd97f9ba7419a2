// What is true in a fuzz: the value of every field of every object, derived from a seed. Subgraphs and the merged schema
// that they are compared with answer from the same world, so every difference is the executor's doing.
import {
  getNamedType,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  visit,
} from 'graphql';
import type { GraphQLOutputType, GraphQLSchema, SelectionSetNode } from 'graphql';
import type { FuzzGraph } from './graphs.ts';
import { createRandom, hash, type Random } from './random.ts';

/** An object of the world. `__typename` is what graphql-js goes by and may be an interface's in some subgraphs. */
export interface Node {
  readonly type: string;
  readonly id: string;
  __typename: string;
  /** What the subgraph was sent for it. */
  readonly representation?: Readonly<Record<string, unknown>>;
}

/** How much goes wrong. */
export interface WorldOptions {
  readonly seed: number;
  readonly errorRate: number;
  readonly nullRate: number;
}

/** Answers for every field. */
export interface World {
  /** Throws, or gives an Error among the items of a list, where the world says so. */
  readonly value: (type: string, id: string, field: string, args: Readonly<Record<string, unknown>>) => unknown;
  /** The object that a representation stands for. */
  readonly resolve: (representation: Readonly<Record<string, unknown>>) => Node;
  /** A field of the nearest object of given types that a structural object belongs to. */
  readonly ownerOf: (node: Node, types: readonly string[], field: string) => unknown;
  /** Throws when what was sent for `@requires` is not what is true. */
  readonly checkRequired: (node: Node, field: string) => void;
}

/** What a world knows of a supergraph. */
export interface WorldFacts {
  readonly schema: GraphQLSchema;
  readonly structural: ReadonlySet<string>;
  readonly entities: ReadonlySet<string>;
  /** `@requires` selections by `Type.field`. */
  readonly required: ReadonlyMap<string, SelectionSetNode>;
  /** Field names that other fields require: no errors there, as the client would be told of what it has not asked for. */
  readonly requiredNames: ReadonlySet<string>;
}

/** Reads the facts of a supergraph from its subgraphs. */
export function worldFacts(graph: FuzzGraph, schema: GraphQLSchema): WorldFacts {
  const required = new Map<string, SelectionSetNode>();
  const requiredNames = new Set<string>();
  const entities = new Set<string>();
  for (const { sdl } of graph.subgraphs) {
    for (const definition of parse(sdl).definitions) {
      if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION)
        continue;
      const type = schema.getType(definition.name.value);
      if (definition.directives?.some(({ name }) => name.value === 'key')) {
        const concrete = isAbstractType(type) ? schema.getPossibleTypes(type) : [{ name: definition.name.value }];
        for (const { name } of concrete) entities.add(name);
      }
      for (const field of definition.fields ?? []) {
        for (const directive of field.directives ?? []) {
          const argument = directive.arguments?.[0]?.value;
          if (directive.name.value !== 'requires' || argument?.kind !== Kind.STRING) continue;
          const document = parse(`{${argument.value}}`);
          visit(document, { Field: ({ name }) => void requiredNames.add(name.value) });
          const [operation] = document.definitions;
          if (operation?.kind !== Kind.OPERATION_DEFINITION) continue;
          required.set(`${definition.name.value}.${field.name.value}`, operation.selectionSet);
        }
      }
    }
  }
  for (const name of ['currency', 'language']) if (graph.contextual) requiredNames.add(name);
  return { schema, structural: new Set(graph.structural), entities, required, requiredNames };
}

const poolSize = 4;

/** Whether an error is one that the world made. */
export const isBroken = (message: string): boolean => message.startsWith('broken');

/** Makes a world. The same facts and options make the same one. */
export function createWorld(facts: WorldFacts, options: WorldOptions): World {
  const { schema, structural, entities, required, requiredNames } = facts;
  const node = (type: string, id: string): Node => ({ type, id, __typename: type });

  const valueOf = (type: GraphQLOutputType, field: string, id: string, isCalm: boolean, random: Random): unknown => {
    if (isNonNullType(type)) return valueOf(type.ofType, field, id, true, random);
    if (!isCalm && random.chance(options.nullRate)) return null;
    if (isListType(type)) {
      return Array.from({ length: random.below(4) }, (_, index) => {
        const isBroken = random.chance(options.errorRate) && !requiredNames.has(field);
        const item = valueOf(type.ofType, field, `${id}.${index}`, false, random);
        return isBroken ? new Error(`broken item ${index} of ${field}`) : item;
      });
    }
    if (isLeafType(type)) {
      if (isEnumType(type)) return random.pick(type.getValues()).name;
      return leafOf(type.name, field, random);
    }
    const concrete = isObjectType(type) ? type : random.pick([...schema.getPossibleTypes(type)]);
    return node(concrete.name, entities.has(concrete.name) ? `${concrete.name}:${random.below(poolSize)}` : id);
  };

  /** What belongs to its parent; in a list each item has its index. */
  const structuralOf = (type: GraphQLOutputType, id: string): unknown => {
    if (isNonNullType(type)) return structuralOf(type.ofType, id);
    if (!isListType(type)) return node(getNamedType(type).name, id);
    return [0, 1].map((index) => structuralOf(type.ofType, `${id}.${index}`));
  };

  const value: World['value'] = (typeName, id, field, args) => {
    const type = schema.getType(typeName);
    const definition = type && 'getFields' in type ? type.getFields()[field] : undefined;
    if (!definition || !('args' in definition)) throw new Error(`There is no field ${typeName}.${field}.`);
    const fieldType = definition.type;
    const named = getNamedType(fieldType);
    if (isNonNullType(fieldType) && named.name === 'ID') return `${field}~${id}`;
    if (structural.has(`${typeName}.${field}`)) return structuralOf(fieldType, `${id}.${field}`);
    const coordinate = `${id} ${field} ${JSON.stringify(Object.entries(args).sort())}`;
    const random = createRandom(hash(`${options.seed} ${coordinate}`));
    if (random.chance(options.errorRate) && !requiredNames.has(field)) throw new Error(`broken ${field}`);
    // A non-null field now and then has null all the same, which is its subgraph's error.
    if (isNonNullType(fieldType) && !requiredNames.has(field) && random.chance(options.errorRate / 2)) return null;
    return valueOf(fieldType, field, `v${hash(coordinate)}`, false, random);
  };

  const resolve: World['resolve'] = (representation) => {
    const id = identityIn(representation);
    const name = String(representation['__typename']);
    const type = /^(\w+):\d+$/.exec(id)?.[1] ?? name;
    return { type, id, __typename: type, representation };
  };

  const ownerOf: World['ownerOf'] = (from, types, field) => {
    const owner = from.id.split('.')[0] ?? '';
    const type = owner.split(':')[0] ?? '';
    return types.includes(type) ? value(type, owner, field, {}) : undefined;
  };

  const differs = (sent: unknown, truth: unknown, selection: SelectionSetNode | undefined): boolean => {
    if (Array.isArray(truth)) {
      return !Array.isArray(sent) || truth.some((item: unknown, index) => differs(sent[index], item, selection));
    }
    if (truth === null || truth === undefined || !selection)
      return JSON.stringify(sent) !== JSON.stringify(truth ?? null);
    return (
      typeof sent !== 'object' || sent === null || lacks(sent as Record<string, unknown>, truth as Node, selection)
    );
  };
  const lacks = (sent: Readonly<Record<string, unknown>>, truth: Node, selection: SelectionSetNode): boolean =>
    selection.selections.some((field) => {
      if (field.kind !== Kind.FIELD) return false;
      const args: Record<string, unknown> = {};
      for (const one of field.arguments ?? []) {
        if (one.value.kind === Kind.INT) args[one.name.value] = Number(one.value.value);
        else if ('value' in one.value) args[one.name.value] = one.value.value;
      }
      const name = field.name.value;
      return differs(sent[name], value(truth.type, truth.id, name, args), field.selectionSet);
    });

  const checkRequired: World['checkRequired'] = (given, field) => {
    const representation = given.representation ?? {};
    const sentAs = representation['__typename'];
    const declared = required.get(`${typeof sentAs === 'string' ? sentAs : given.type}.${field}`);
    if (declared && lacks(representation, given, declared)) {
      throw new Error(`${given.type}.${field} was sent ${JSON.stringify(representation)}`);
    }
  };

  return { value, resolve, ownerOf, checkRequired };
}

function leafOf(type: string, field: string, random: Random): unknown {
  const number = random.below(1000);
  switch (type) {
    case 'Int':
      return number - 100;
    case 'Float':
      return number / 8;
    case 'Boolean':
      return number % 2 === 0;
    case 'Json':
      return number % 3 === 0 ? { deep: [number, { a: null }] } : number;
    default:
      return number % 10 === 0 ? '' : `${field}-${number}`;
  }
}

/** Keys are `<field>~<identity>`; below a structural field the identity ends in that field's name. */
function identityIn(value: Readonly<Record<string, unknown>>): string {
  for (const [key, held] of Object.entries(value)) {
    if (key === '__typename') continue;
    if (typeof held === 'string' && held.startsWith(`${key}~`)) return held.slice(key.length + 1);
  }
  for (const [key, held] of Object.entries(value)) {
    if (typeof held !== 'object' || held === null || Array.isArray(held)) continue;
    const nested = identityIn(held as Record<string, unknown>);
    if (nested.endsWith(`.${key}`)) return nested.slice(0, -key.length - 1);
  }
  return '';
}
