// The port to a card processor: what we ask of one, and what it must promise.

export interface ChargeRequest {
  /** The same key is charged once, however often it is asked. */
  readonly idempotencyKey: string;
  /** What the customer's card is known by; null pays with the customer's stored card. */
  readonly token: string | null;
  /** Minor units. */
  readonly amount: number;
  /** ISO 4217. */
  readonly currency: string;
  /** Shown beside the charge in the processor's books. */
  readonly orderId: string;
}

export type ChargeResult = { readonly outcome: 'approved' } | { readonly outcome: 'declined'; readonly reason: string };

export interface RefundRequest {
  /** The same key is refunded once. */
  readonly idempotencyKey: string;
  /** The key of the charge to undo. */
  readonly chargeKey: string;
  readonly orderId: string;
}

/**
 * A card processor. Both calls may be lost on the way there or back, and throw CARD_PROCESSOR_UNAVAILABLE when the outcome is not
 * known; asking again with the same key gives the first outcome.
 */
export interface CardProcessor {
  charge(request: ChargeRequest): Promise<ChargeResult>;
  /** Returns what was charged, if anything was, and makes every later charge with that key be declined. */
  refund(request: RefundRequest): Promise<void>;
}
