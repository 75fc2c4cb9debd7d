// Small pictures of seats as raw pixels: stamping them into one buffer draws 80,000 seats in a few milliseconds without a GPU.
//
// A small seat has one picture for each quarter of a pixel, so that rows keep their rhythm at every zoom.

export type Shape = 'free' | 'accessible' | 'gone' | 'mine';

export interface Sprite {
  size: number;
  /** Non-premultiplied RGBA as ImageData keeps it, little-endian. */
  pixels: Uint32Array;
}

export type Colour = readonly [number, number, number];

export interface Ink {
  fill: Colour;
  ring: Colour;
  alpha: number;
}

/** `rgb(1, 2, 3)` or `color(srgb 0.1 0.2 0.3)`, as browsers compute a colour. */
export function readColour(text: string): Colour {
  const numbers = (text.match(/[\d.]+(?:e-?\d+)?/g) ?? []).map(Number);
  const scale = text.startsWith('color(') ? 255 : 1;
  const part = (at: number) => Math.round((numbers[at] ?? 0) * scale);
  return [part(0), part(1), part(2)];
}

function pixel([r, g, b]: Colour, alpha: number): number {
  return ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

const covered = (inside: number) => Math.min(1, Math.max(0, inside + 0.5));

/** How far inside the shape a point is, in pixels; negative outside. */
function depth(shape: Shape, dx: number, dy: number, radius: number): number {
  if (shape !== 'accessible') return radius - Math.hypot(dx, dy);
  const corner = radius * 0.3;
  const [qx, qy] = [Math.abs(dx) - radius + corner, Math.abs(dy) - radius + corner];
  return corner - Math.hypot(Math.max(qx, 0), Math.max(qy, 0)) - Math.min(Math.max(qx, qy), 0);
}

/** Draws a seat of `radius` pixels whose centre is (shiftX, shiftY) of a pixel past the middle of its picture. */
export function draw(shape: Shape, radius: number, shiftX: number, shiftY: number, ink: Ink): Sprite {
  const own = shape === 'gone' ? radius * 0.62 : shape === 'mine' ? radius * 1.18 : radius;
  const reach = Math.ceil(own + 0.5);
  const size = reach * 2 + 1;
  const pixels = new Uint32Array(size * size);
  const ring = shape === 'mine' ? Math.max(1, own * 0.24) : 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const inside = depth(shape, x - reach - shiftX, y - reach - shiftY, own);
      const alpha = covered(inside) * ink.alpha;
      if (alpha <= 0) continue;
      const core = ring > 0 ? covered(inside - ring) : 1;
      const mix = (at: 0 | 1 | 2) => Math.round(ink.fill[at] * core + ink.ring[at] * (1 - core));
      pixels[y * size + x] = pixel([mix(0), mix(1), mix(2)], alpha);
    }
  }
  return { size, pixels };
}

const PHASES = 4;
/** From this radius on a quarter of a pixel is not seen. */
const PHASED_RADIUS_PX = 7;

/** Sprites of one size, made when first needed. */
export class Sheet {
  readonly #made = new Map<number, Sprite>();
  readonly radius: number;

  constructor(radius: number) {
    this.radius = radius;
  }

  /** The picture for an ink at a place; `look` numbers shape and ink together. */
  at(look: number, shape: Shape, ink: Ink, x: number, y: number): Sprite {
    const phased = this.radius < PHASED_RADIUS_PX;
    const phase = (at: number) => (phased ? Math.floor((at - Math.floor(at)) * PHASES) : PHASES / 2);
    const [px, py] = [phase(x), phase(y)];
    const key = (look * PHASES + px) * (PHASES + 1) + py;
    let sprite = this.#made.get(key);
    if (!sprite) {
      const shift = (p: number) => (phased ? (p + 0.5) / PHASES - 0.5 : 0);
      sprite = draw(shape, this.radius, shift(px), shift(py), ink);
      this.#made.set(key, sprite);
    }
    return sprite;
  }
}

/** Writes a sprite with its middle at (x, y), cut off at the buffer's edge. */
export function stamp(buffer: Uint32Array, width: number, height: number, sprite: Sprite, x: number, y: number): void {
  const { size, pixels } = sprite;
  const half = (size - 1) / 2;
  const [left, top] = [Math.floor(x) - half, Math.floor(y) - half];
  const [from, to] = [Math.max(0, -left), Math.min(size, width - left)];
  for (let line = Math.max(0, -top); line < Math.min(size, height - top); line++) {
    const into = (top + line) * width + left;
    for (let column = from; column < to; column++) {
      const colour = pixels[line * size + column] ?? 0;
      if (colour !== 0) buffer[into + column] = colour;
    }
  }
}
