import { expect, test } from 'vitest';
import { draw, type Ink, readColour, Sheet, stamp } from './sprites';

const ink: Ink = { fill: [255, 0, 0], ring: [0, 0, 0], alpha: 1 };
const alpha = (pixel: number | undefined) => (pixel ?? 0) >>> 24;

test('a seat is full in the middle and empty in its corner', () => {
  const { size, pixels } = draw('free', 5, 0, 0, ink);
  expect(pixels[(size * size - 1) / 2]).toBe(0xff0000ff);
  expect(alpha(pixels[0])).toBe(0);
});

test('mine has a ring of its own colour', () => {
  const { size, pixels } = draw('mine', 8, 0, 0, ink);
  const row = pixels.slice(size * ((size - 1) / 2), size * ((size - 1) / 2) + size);
  expect(row[(size - 1) / 2]).toBe(0xff0000ff);
  expect(row[2]).toBe(0xff000000);
});

test('a stamp at the edge stays inside the buffer', () => {
  const buffer = new Uint32Array(16 * 4);
  stamp(buffer, 16, 4, draw('free', 3, 0, 0, ink), 0, 0);
  expect(buffer[0]).toBe(0xff0000ff);
  expect(buffer[15]).toBe(0);
});

test('small seats differ by a quarter of a pixel, large ones do not', () => {
  const small = new Sheet(2);
  expect(small.at(0, 'free', ink, 1.1, 1)).not.toBe(small.at(0, 'free', ink, 1.6, 1));
  const large = new Sheet(9);
  expect(large.at(0, 'free', ink, 1.1, 1)).toBe(large.at(0, 'free', ink, 1.6, 1));
});

test('colours are read as browsers write them', () => {
  expect(readColour('rgb(140, 28, 60)')).toEqual([140, 28, 60]);
  expect(readColour('color(srgb 1 0.5 0)')).toEqual([255, 128, 0]);
});
