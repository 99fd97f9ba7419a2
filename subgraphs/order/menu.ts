// Menus and prices: what an order comes to. Pure.

/** One line as the customer asks for it. */
export interface RequestedItem {
  readonly menuId: string;
  /** 1..99. */
  readonly quantity: number;
}

export interface PricedMenu {
  readonly id: string;
  readonly name: string;
  /** Minor units. */
  readonly price: number;
  readonly available: boolean;
}

/** One line as the order keeps it: name and price as they were. */
export interface OrderedItem {
  readonly menuId: string;
  readonly menuName: string;
  /** Minor units. */
  readonly unitPrice: number;
  readonly quantity: number;
}

/** The largest amount that fits GraphQL's Int. */
export const maxAmount = 2_147_483_647;

export type Pricing =
  | { readonly outcome: 'priced'; readonly items: readonly OrderedItem[]; readonly total: number }
  | { readonly outcome: 'rejected'; readonly code: 'MENU_NOT_FOUND' | 'MENU_UNAVAILABLE'; readonly index: number }
  | { readonly outcome: 'rejected'; readonly code: 'AMOUNT_TOO_LARGE' };

/** Prices the lines; the first line that cannot be had rejects the whole. */
export function priceItems(requested: readonly RequestedItem[], menus: ReadonlyMap<string, PricedMenu>): Pricing {
  const items: OrderedItem[] = [];
  for (const [index, { menuId, quantity }] of requested.entries()) {
    const menu = menus.get(menuId);
    if (menu === undefined) return { outcome: 'rejected', code: 'MENU_NOT_FOUND', index };
    if (!menu.available) return { outcome: 'rejected', code: 'MENU_UNAVAILABLE', index };
    items.push({ menuId, menuName: menu.name, unitPrice: menu.price, quantity });
  }
  const total = items.reduce((sum, { unitPrice, quantity }) => sum + unitPrice * quantity, 0);
  return total > maxAmount ? { outcome: 'rejected', code: 'AMOUNT_TOO_LARGE' } : { outcome: 'priced', items, total };
}
