// Deliveries, and the tables of outbox and inbox.
import { Migration } from '@mikro-orm/migrations';
import { messagingTables } from '../../../service/messaging-tables.ts';

export class Migration20261122000000 extends Migration {
  override up(): void {
    for (const statement of messagingTables.postgresql) this.addSql(statement);
    this.addSql(`create table delivery (
      id uuid primary key,
      order_id varchar(100) not null unique,
      customer_id varchar(200) not null,
      status varchar(20) not null,
      version int not null,
      address varchar(200),
      started_at timestamptz(3),
      completed_at timestamptz(3),
      cancelled_at timestamptz(3)
    )`);
    this.addSql('create index delivery_by_status on delivery (status, id desc)');
  }
}
