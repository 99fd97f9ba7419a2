// Why an order cannot be cancelled any more, once payment has said so.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125000000 extends Migration {
  override up(): void {
    this.addSql('alter table customer_order add column cancel_refusal text');
  }
}
