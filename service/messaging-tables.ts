// The SQL of the outbox and inbox tables, the same in every subgraph's first migration.

export const messagingTables = [
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
    stream_created varchar(40)
  )`,
  `create table inbox (
    consumer varchar(100) not null,
    event_id varchar(100) not null,
    received_at timestamptz(3) not null,
    primary key (consumer, event_id)
  )`,
  'create index inbox_received on inbox (received_at)',
];
