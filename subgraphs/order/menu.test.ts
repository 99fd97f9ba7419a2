// Pricing: what an order comes to, and what keeps it from being priced.
import { expect, test } from '@jest/globals';
import { maxAmount, priceItems } from './menu.ts';

const menus = new Map(
  [
    { id: 'kimbap', name: '김밥', price: 4_000, available: true },
    { id: 'juice', name: '주스', price: 3_500, available: true },
    { id: 'soup', name: '국', price: 5_000, available: false },
    { id: 'gold', name: '금', price: maxAmount, available: true },
  ].map((menu) => [menu.id, menu]),
);

test('the total is the sum of price times quantity, and lines keep name and price', () => {
  const requested = [
    { menuId: 'kimbap', quantity: 2 },
    { menuId: 'juice', quantity: 1 },
  ];
  expect(priceItems(requested, menus)).toEqual({
    outcome: 'priced',
    total: 11_500,
    items: [
      { menuId: 'kimbap', menuName: '김밥', unitPrice: 4_000, quantity: 2 },
      { menuId: 'juice', menuName: '주스', unitPrice: 3_500, quantity: 1 },
    ],
  });
});

test('the first line that cannot be had is named', () => {
  const requested = [
    { menuId: 'kimbap', quantity: 1 },
    { menuId: 'nothing', quantity: 1 },
    { menuId: 'soup', quantity: 1 },
  ];
  expect(priceItems(requested, menus)).toEqual({ outcome: 'rejected', code: 'MENU_NOT_FOUND', index: 1 });
  expect(priceItems(requested.slice(2), menus)).toEqual({ outcome: 'rejected', code: 'MENU_UNAVAILABLE', index: 0 });
});

test('the largest amount passes, one more does not', () => {
  const gold = { menuId: 'gold', quantity: 1 };
  expect(priceItems([gold], menus)).toMatchObject({ outcome: 'priced', total: maxAmount });
  expect(priceItems([gold, { menuId: 'kimbap', quantity: 1 }], menus)).toEqual({
    outcome: 'rejected',
    code: 'AMOUNT_TOO_LARGE',
  });
});
