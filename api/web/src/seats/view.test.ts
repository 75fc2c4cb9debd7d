import { expect, test } from 'vitest';
import { type Frame, scaleMax, scaleMin, showing, toPlan, toScreen, whole, zoomed } from './view';

const frame: Frame = { width: 800, height: 600, plan: { width: 40, height: 30, pitch: 0.5 } };

test('the whole plan fits', () => {
  const view = whole(frame);
  expect(toScreen(view, frame, 20, 15)).toEqual([400, 300]);
  expect(toScreen(view, frame, 0, 0)[0]).toBeGreaterThan(0);
});

test('the point under the pointer stays while zooming in', () => {
  const view = zoomed(whole(frame), frame, 3, 500, 200);
  const [x, y] = toPlan(whole(frame), frame, 500, 200);
  const [px, py] = toScreen(view, frame, x, y);
  expect(px).toBeCloseTo(500);
  expect(py).toBeCloseTo(200);
});

test('zoom ends at the whole plan and at one seat', () => {
  expect(zoomed(whole(frame), frame, 0.1, 0, 0).scale).toBe(scaleMin(frame));
  expect(zoomed(whole(frame), frame, 1e6, 400, 300).scale).toBe(scaleMax(frame));
});

test('a point outside is brought in', () => {
  const view = showing(zoomed(whole(frame), frame, 4, 400, 300), frame, 35, 25);
  const [px, py] = toScreen(view, frame, 35, 25);
  expect(px).toBeGreaterThan(0);
  expect(px).toBeLessThanOrEqual(800 * 0.86);
  expect(py).toBeLessThanOrEqual(600 * 0.86);
});
