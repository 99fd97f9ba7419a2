// The inbox: which events a consumer has taken effect of, written in the transaction of the effect.
import { defineEntity, p } from '@mikro-orm/core';

export const InboxEntry = defineEntity({
  name: 'InboxEntry',
  tableName: 'inbox',
  properties: {
    consumer: p.string().length(100).primary(),
    eventId: p.string().length(100).primary(),
    receivedAt: p.datetime(3),
  },
  indexes: [{ properties: ['receivedAt'] }],
});
