// Rows that every order passes, read and written by prepared statements that are made once for each table: to have the ORM make them, and
// find what has changed, took a third of a subgraph's processor time. The entities say what the tables are like, as everywhere. On engines
// whose statements are not prepared the ORM does the same.
import { JsonType } from '@mikro-orm/core';
import type { EntitySchema, FilterQuery, RequiredEntityData } from '@mikro-orm/core';
import { prepares, runStatement } from './database-prepared.ts';
import { forUpdate } from './database.ts';
import type { EntityManager } from './database.ts';

type Property<Row> = Extract<keyof Row, string>;

/** The rows with these keys that there are, in any order. */
export async function readRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  key: Property<Row>,
  keys: readonly string[],
): Promise<Row[]> {
  if (!prepares(em)) return em.find(entity, withKeys<Row>(key, keys));
  return select(em, tableOf(em, entity), key, keys);
}

/**
 * As `readRows`, in the order of the keys and locked until the transaction ends. What is assigned to a property meanwhile is written
 * before the commit.
 */
export async function lockRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  key: Property<Row>,
  keys: readonly string[],
): Promise<Row[]> {
  if (!prepares(em)) {
    return em.find(entity, withKeys<Row>(key, keys), { ...forUpdate, orderBy: { [key]: 'asc' } as never });
  }
  const table = tableOf(em, entity);
  const { locked } = changesOf(em);
  const rows = await select<Row>(em, table, key, keys, `order by "${table.columnOf(key)}" for update`);
  return rows.map((row) => {
    const earlier = locked.find((one) => one.table === table && (one.row as Row)[key] === row[key]);
    if (earlier !== undefined) return earlier.row as Row;
    locked.push({ table, row, before: valuesOf(table, row) });
    return row;
  });
}

/** Adds a row, which is written before the commit, as it is by then. */
export function insertRow<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  data: RequiredEntityData<Row>,
): Row {
  if (!prepares(em)) return em.create(entity, data, { persist: true });
  const row = { ...data } as Row;
  changesOf(em).inserted.push({ table: tableOf(em, entity), row });
  return row;
}

/** Stores rows at once, except those that are there already, as `conflict` tells; gives how many were stored. */
export async function insertNewRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  rows: readonly RequiredEntityData<Row>[],
  conflict: readonly Property<Row>[],
): Promise<number> {
  if (!prepares(em)) {
    const query = em.createQueryBuilder(entity).insert([...rows]);
    const ignoring = query.onConflict(conflict as never).ignore();
    return (await ignoring.execute<{ affectedRows: number }>('run')).affectedRows;
  }
  const table = tableOf(em, entity);
  const target = conflict.map((property) => `"${table.columnOf(property)}"`).join(', ');
  const sql = `${table.insert} on conflict (${target}) do nothing`;
  return (await runStatement(em, sql, [recordsOf(table, rows)])).affected;
}

/** Stores rows at once; gives the numbers that the database gave them, in their order. */
export async function insertNumberedRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  rows: readonly Row[],
  number: Property<Row>,
): Promise<number[]> {
  const table = tableOf(em, entity);
  const column = table.columnOf(number);
  const stored = prepares(em)
    ? await runStatement<Values>(em, `${table.insert} returning ${column}`, [recordsOf(table, rows)])
    : await runStatement<Values>(
        em,
        `insert into ${table.name} (${table.given.map(({ name }) => name).join(', ')})
         values ${rows.map(() => `(${table.given.map(() => '?').join(', ')})`).join(', ')} returning ${column}`,
        rows.flatMap((row) => table.given.map((each) => toParameter(each, (row as Values)[each.property]))),
      );
  return stored.rows.map((row) => Number(row[column]));
}

/** Writes what was added to the transaction of `em`, and what was assigned to the rows that it has locked. */
export async function writeRows(em: EntityManager): Promise<void> {
  const { inserted, locked } = changes.get(em) ?? nothing;
  for (const [table, added] of Map.groupBy(inserted, (one) => one.table)) {
    const rows = added.map(({ row }) => row);
    await runStatement(em, table.insert, [recordsOf(table, rows)]);
  }
  for (const { table, row, before } of locked) {
    const values = valuesOf(table, row);
    if (values.every((value, index) => value === before[index])) continue;
    const parameters = table.columns.map((column, index) => toParameter(column, values[index]));
    await runStatement(em, table.update, parameters);
  }
}

type Values = Readonly<Record<string, unknown>>;

interface Column {
  readonly property: string;
  readonly name: string;
  readonly type: 'date' | 'json' | 'other';
}

/** A table, and what its statements have in common. */
interface Table {
  readonly name: string;
  /** The primary key comes last. */
  readonly columns: readonly Column[];
  /** Those that the database does not number. */
  readonly given: readonly Column[];
  readonly select: string;
  /** Of as many rows as its one parameter holds. */
  readonly insert: string;
  /** Of the row whose key is the last parameter. */
  readonly update: string;
  columnOf(property: string): string;
}

/** What the transactions under way have added and locked. */
interface Changes {
  readonly inserted: { readonly table: Table; readonly row: object }[];
  readonly locked: { readonly table: Table; readonly row: object; readonly before: readonly unknown[] }[];
}
const nothing: Changes = { inserted: [], locked: [] };
const changes = new WeakMap<EntityManager, Changes>();

function changesOf(em: EntityManager): Changes {
  const known = changes.get(em) ?? { inserted: [], locked: [] };
  changes.set(em, known);
  return known;
}

const tables = new WeakMap<EntitySchema, Table>();

function tableOf(em: EntityManager, entity: EntitySchema): Table {
  const known = tables.get(entity);
  if (known !== undefined) return known;
  const { tableName: name, props } = em.getMetadata().get(entity.meta.class);
  const [keys, others] = [props.filter(({ primary }) => primary), props.filter(({ primary }) => primary !== true)];
  const toColumn = (prop: (typeof props)[number]): Column => ({
    property: prop.name,
    name: prop.fieldNames[0] ?? prop.name,
    type: prop.customType instanceof JsonType ? 'json' : prop.runtimeType === 'Date' ? 'date' : 'other',
  });
  const columns = [...others, ...keys].map(toColumn);
  const given = [...others, ...keys].filter(({ autoincrement }) => autoincrement !== true).map(toColumn);
  const list = given.map((column) => `"${column.name}"`).join(', ');
  const assigned = others.map((prop) => `"${toColumn(prop).name}" = ?`).join(', ');
  const table: Table = {
    ...{ name, columns, given },
    // By name: the type of its answer does not change when another version of the process adds a column.
    select: `select ${columns.map((column) => `"${column.name}" as "${column.property}"`).join(', ')} from "${name}"`,
    insert: `insert into "${name}" (${list}) select ${list} from json_populate_recordset(null::"${name}", ?)`,
    update: `update "${name}" set ${assigned} where ${keys.map((prop) => `"${toColumn(prop).name}" = ?`).join(' and ')}`,
    columnOf: (property) => columns.find((column) => column.property === property)?.name ?? property,
  };
  tables.set(entity, table);
  return table;
}

async function select<Row extends object>(
  em: EntityManager,
  table: Table,
  key: string,
  keys: readonly string[],
  more = '',
): Promise<Row[]> {
  const sql = `${table.select} where "${table.columnOf(key)}" in (${keys.map(() => '?').join(', ')}) ${more}`;
  const { rows } = await runStatement<Record<string, unknown>>(em, sql, keys, keys.length);
  const dates = table.columns.filter(({ type }) => type === 'date');
  for (const row of rows) {
    for (const { property } of dates) {
      const date = row[property];
      if (typeof date === 'string') row[property] = em.getPlatform().parseDate(date);
    }
  }
  return rows as Row[];
}

/** Of an entity whose rows have these keys. */
const withKeys = <Row extends object>(key: string, keys: readonly string[]): FilterQuery<NoInfer<Row>> =>
  ({ [key]: { $in: keys } }) as FilterQuery<NoInfer<Row>>;

const valuesOf = (table: Table, row: object): unknown[] =>
  table.columns.map(({ property }) => (row as Values)[property] ?? null);

const toParameter = ({ type }: Column, value: unknown): unknown =>
  type === 'json' && value !== null ? JSON.stringify(value) : value;

/** Rows as `json_populate_recordset` takes them. */
const recordsOf = (table: Table, rows: readonly object[]): string =>
  JSON.stringify(
    rows.map((row) => Object.fromEntries(table.given.map(({ property, name }) => [name, (row as Values)[property]]))),
  );
