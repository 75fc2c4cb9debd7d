import { expect, test } from 'vitest';
import { remaining, spokenAt } from './time';

test('time left reads as a clock', () => {
  expect([600, 65, 9, 0, 3723].map(remaining)).toEqual(['10:00', '1:05', '0:09', '0:00', '1:02:03']);
});

test('only a few moments are spoken', () => {
  expect(spokenAt(60)).toBe('One minute left to pay.');
  expect(spokenAt(59)).toBeUndefined();
});
