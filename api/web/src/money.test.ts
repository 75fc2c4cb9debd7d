import { expect, test } from 'vitest';
import { money } from './money';

test('prices read as the server writes them', () => {
  expect(money(4500, 'USD')).toBe('$45');
  expect(money(123_450, 'EUR')).toBe('€1,234.50');
  expect(money(4500, 'JPY')).toBe('¥4,500');
});
