// Menus, orders, and the tables of outbox and inbox.
import { Migration } from '@mikro-orm/migrations';
import { messagingTables } from '../../../service/messaging-tables.ts';

export class Migration20261122000000 extends Migration {
  override up(): void {
    for (const statement of messagingTables.postgresql) this.addSql(statement);
    this.addSql(`create table menu (
      id uuid primary key,
      name varchar(100) not null,
      price int not null check (price >= 0),
      currency varchar(3) not null,
      available boolean not null,
      created_at timestamptz(3) not null
    )`);
    this.addSql('create index menu_by_name on menu (name, id)');
    this.addSql(`create table customer_order (
      id uuid primary key,
      customer_id varchar(200) not null,
      idempotency_key varchar(100),
      items jsonb not null,
      total int not null check (total >= 0),
      currency varchar(3) not null,
      delivery_address varchar(200),
      payment_token varchar(200),
      status varchar(20) not null,
      version int not null,
      status_reason text,
      payment_status varchar(20),
      decline_reason text,
      delivery_id uuid,
      delivery_status varchar(20),
      cancel_from varchar(20),
      drive_due_at timestamptz(3),
      drive_attempts int not null,
      timeline jsonb not null,
      placed_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      unique (customer_id, idempotency_key)
    )`);
    this.addSql('create index order_by_customer on customer_order (customer_id, id desc)');
    this.addSql('create index order_by_customer_status on customer_order (customer_id, status, id desc)');
    this.addSql('create index order_by_status on customer_order (status, id desc)');
    this.addSql(`create index order_due on customer_order (drive_due_at) where drive_due_at is not null`);
  }
}
