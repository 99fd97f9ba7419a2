// Payments, the sandbox processor's books, and the tables of outbox and inbox.
import { Migration } from '@mikro-orm/migrations';
import { engineOfDriver } from '../../../service/database-engines.ts';
import { mariadbTable, messagingTables } from '../../../service/messaging-tables.ts';

const postgresql = [
  `create table payment (
    id uuid primary key,
    order_id varchar(100) not null unique,
    customer_id varchar(200) not null,
    state varchar(20) not null,
    version int not null,
    cancel_from varchar(20),
    amount int not null check (amount >= 0),
    currency varchar(3) not null,
    payment_token varchar(200),
    delivery_address varchar(200),
    decline_reason text,
    refusal text,
    created_at timestamptz(3) not null,
    paid_at timestamptz(3),
    cancelled_at timestamptz(3)
  )`,
  `create table sandbox_charge (
    "key" varchar(100) primary key,
    order_id varchar(100) not null,
    amount int not null,
    currency varchar(3) not null,
    status varchar(20) not null,
    decline_reason varchar(255),
    charged int not null,
    refunded int not null,
    refund_key varchar(100),
    attempts int not null,
    created_at timestamptz(3) not null
  )`,
  'create index sandbox_charge_by_order on sandbox_charge (order_id)',
];

const mariadb = [
  `create table if not exists payment (
    id uuid primary key,
    order_id varchar(100) not null unique,
    customer_id varchar(200) not null,
    state varchar(20) not null,
    version int not null,
    cancel_from varchar(20),
    amount int not null check (amount >= 0),
    currency varchar(3) not null,
    payment_token varchar(200),
    delivery_address varchar(200),
    decline_reason text,
    refusal text,
    created_at datetime(3) not null,
    paid_at datetime(3),
    cancelled_at datetime(3)
  ) ${mariadbTable}`,
  `create table if not exists sandbox_charge (
    \`key\` varchar(100) primary key,
    order_id varchar(100) not null,
    amount int not null,
    currency varchar(3) not null,
    status varchar(20) not null,
    decline_reason varchar(255),
    charged int not null,
    refunded int not null,
    refund_key varchar(100),
    attempts int not null,
    created_at datetime(3) not null,
    key sandbox_charge_by_order (order_id)
  ) ${mariadbTable}`,
];

const tables = { postgresql, mariadb };

export class Migration20261122000000 extends Migration {
  override up(): void {
    const engine = engineOfDriver(this.driver);
    for (const statement of [...messagingTables[engine], ...tables[engine]]) this.addSql(statement);
  }
}
