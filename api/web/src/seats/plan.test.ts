import { expect, test } from 'vitest';
import { house } from './fixture';
import { neighbour, readPlan, seatAt, seatName } from './plan';

const plan = readPlan(house(2, 3, 4));

test('a plan is read by seat number', () => {
  expect(plan.count).toBe(24);
  expect(seatName(plan, 0)).toBe('Block 1, row A, seat 1');
  expect(seatName(plan, 23)).toBe('Block 2, row C, seat 4');
  expect(plan.pitch).toBeGreaterThan(0.5);
  expect(plan.pitch).toBeLessThan(0.7);
});

test('the seat under a point is the nearest within reach', () => {
  expect(seatAt(plan, (plan.x[9] ?? 0) + 0.1, (plan.y[9] ?? 0) - 0.1, 0.3)).toBe(9);
  expect(seatAt(plan, 0, 0, 0.3)).toBeUndefined();
});

test('arrow keys move to the next seat and stay at the edge', () => {
  expect(neighbour(plan, 0, 1, 0)).toBe(1);
  expect(neighbour(plan, 0, 0, 1)).toBe(4);
  expect(neighbour(plan, 0, -1, 0)).toBe(0);
});

test('a stadium is read in well under a second', () => {
  const json = house(40, 50, 40);
  const start = performance.now();
  const stadium = readPlan(json);
  expect(stadium.count).toBe(80_000);
  expect(performance.now() - start).toBeLessThan(1000);
});
