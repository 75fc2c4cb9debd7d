import { expect, test } from 'vitest';
import { FREE, freeByTier, HELD, OFF_SALE, SeatStates, SOLD } from './states';

const packed = btoa(String.fromCharCode(0b11100100, 0b00000001));

test('the first seat is in the lowest bits', () => {
  const states = new SeatStates({ version: 3, states: packed }, 6);
  expect([...states.of]).toEqual([FREE, HELD, SOLD, OFF_SALE, HELD, FREE]);
});

test('only newer changes that follow are taken', () => {
  const states = new SeatStates({ version: 3, states: packed }, 6);
  expect(states.take({ version: 3, changes: [[0, SOLD]] })).toBe(true);
  expect(states.of[0]).toBe(FREE);
  expect(states.take({ version: 5, from: 4, changes: [[0, SOLD]] })).toBe(false);
  expect(
    states.take({
      version: 4,
      from: 3,
      changes: [
        [0, SOLD],
        [99, SOLD],
      ],
    }),
  ).toBe(true);
  expect([states.version, states.of[0]]).toEqual([4, SOLD]);
});

test('an older snapshot changes nothing', () => {
  const states = new SeatStates({ version: 3, states: packed }, 6);
  states.replace({ version: 2, states: btoa('\0\0') });
  expect(states.of[1]).toBe(HELD);
});

test('free seats are counted by tier', () => {
  expect(freeByTier(Uint8Array.of(FREE, SOLD, FREE, FREE), Uint16Array.of(0, 0, 1, 1), 2)).toEqual([1, 2]);
});
