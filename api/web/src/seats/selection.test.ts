import { expect, test } from 'vitest';
import { nextPlace, stillFree, toggled } from './selection';
import { FREE, HELD } from './states';

test('a seat is added, taken out, and refused over the limit', () => {
  expect(toggled([1, 2], 3, 4)).toEqual([1, 2, 3]);
  expect(toggled([1, 2, 3], 2, 4)).toEqual([1, 3]);
  const full = [1, 2];
  expect(toggled(full, 3, 2)).toBe(full);
});

test('a seat that somebody took leaves the selection and is named', () => {
  expect(stillFree([0, 1], Uint8Array.of(FREE, HELD))).toEqual({ kept: [0], lost: [1] });
});

test('a floor gives its next free place', () => {
  expect(nextPlace(0, 3, [0], Uint8Array.of(FREE, HELD, FREE))).toBe(2);
  expect(nextPlace(0, 2, [0], Uint8Array.of(FREE, HELD))).toBeUndefined();
});
