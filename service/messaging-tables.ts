// The SQL of the outbox and inbox tables, by engine; the same in every subgraph's first migration.
import type { EngineName } from './database-engines.ts';

const postgresql = [
  `create table outbox (
    seq bigserial primary key,
    id varchar(36) not null unique,
    aggregate_id varchar(100) not null,
    version int not null,
    stream varchar(40) not null,
    subject text not null,
    headers jsonb not null,
    payload text not null,
    created_at timestamptz(3) not null,
    claimed_by varchar(36),
    claimed_until timestamptz(3),
    published_at timestamptz(3),
    stream_seq bigint
  )`,
  'create index outbox_unpublished on outbox (stream, seq) where published_at is null',
  'create index outbox_unpublished_of_aggregate on outbox (aggregate_id, seq) where published_at is null',
  'create index outbox_published on outbox (stream, published_at) where published_at is not null',
  'create index outbox_by_stream_seq on outbox (stream, stream_seq) where stream_seq is not null',
  `create table outbox_relay (
    stream varchar(40) primary key,
    stream_created varchar(40),
    generation int not null
  )`,
  `create table inbox (
    consumer varchar(100) not null,
    event_id varchar(100) not null,
    received_at timestamptz(3) not null,
    primary key (consumer, event_id)
  )`,
  'create index inbox_received on inbox (received_at)',
];

/**
 * What MariaDB tables end with. Ids are compared byte for byte, trailing spaces included, as PostgreSQL does; the server's usual
 * collation would take `A` and `a ` for one customer.
 */
export const mariadbTable = 'engine = innodb default character set utf8mb4 collate utf8mb4_nopad_bin';

// There are no partial indexes: what is not published has null in the column that comes first after the stream.
const mariadb = [
  `create table if not exists outbox (
    seq bigint not null auto_increment primary key,
    id varchar(36) not null unique,
    aggregate_id varchar(100) not null,
    version int not null,
    stream varchar(40) not null,
    subject text not null,
    headers json not null,
    payload mediumtext not null,
    created_at datetime(3) not null,
    claimed_by varchar(36),
    claimed_until datetime(3),
    published_at datetime(3),
    stream_seq bigint,
    key outbox_by_publication (stream, published_at, seq),
    key outbox_unpublished_of_aggregate (aggregate_id, published_at, seq),
    key outbox_by_stream_seq (stream, stream_seq)
  ) ${mariadbTable}`,
  `create table if not exists outbox_relay (
    stream varchar(40) primary key,
    stream_created varchar(40),
    generation int not null
  ) ${mariadbTable}`,
  `create table if not exists inbox (
    consumer varchar(100) not null,
    event_id varchar(100) not null,
    received_at datetime(3) not null,
    primary key (consumer, event_id),
    key inbox_received (received_at)
  ) ${mariadbTable}`,
];

export const messagingTables: Readonly<Record<EngineName, readonly string[]>> = { postgresql, mariadb };
