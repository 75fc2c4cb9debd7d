// Draws the map: ground, stage, sections, then every seat in sight, then what is written on them.
import { eachSeatIn, type Plan, rowAt, type Section } from './plan';
import { type Colour, type Ink, readColour, type Shape, Sheet, stamp } from './sprites';
import { FREE } from './states';
import { type Frame, toPlan, toScreen, type View } from './view';

export const TIER_COLOURS = 8;

export interface Palette {
  tiers: Colour[];
  gone: Colour;
  ring: Colour;
  ground: string;
  block: string;
  stage: string;
  ink: string;
  muted: string;
}

/** What is to be seen beyond the plan itself. */
export interface Scene {
  states: Uint8Array;
  mine: ReadonlySet<number>;
  /** Only this tier is bright. */
  tier: number | undefined;
  /** Seats whose tier has no price are not for sale. */
  priced: ReadonlySet<number>;
  cursor: number | undefined;
  hover: number | undefined;
}

/** Reads the style sheet's colours as they are in the present scheme. */
export function readPalette(host: HTMLElement): Palette {
  const probe = document.createElement('i');
  host.append(probe);
  const colour = (name: string) => {
    probe.style.setProperty('color', `var(${name})`);
    return getComputedStyle(probe).color;
  };
  const palette: Palette = {
    tiers: Array.from({ length: TIER_COLOURS }, (_, tier) => readColour(colour(`--tier-${tier}`))),
    gone: readColour(colour('--seat-gone')),
    ring: readColour(colour('--seat-ring')),
    ground: colour('--map-ground'),
    block: colour('--map-block'),
    stage: colour('--map-stage'),
    ink: colour('--ink'),
    muted: colour('--muted'),
  };
  probe.remove();
  return palette;
}

const SEAT_SHARE = 0.4;
const LABEL_RADIUS_PX = 10;
const ROW_NAME_PITCH_PX = 12;
const NAME_SIZES_PX = [13, 10.5];
const NAME_SHARE_MAX = 0.4;
const FEW_SECTIONS = 24;
const SHAPES: Shape[] = ['free', 'accessible', 'gone', 'mine'];

export class Painter {
  readonly #context: CanvasRenderingContext2D;
  readonly #seats = document.createElement('canvas');
  #buffer: ImageData | undefined;
  #sheet: Sheet | undefined;
  #palette: Palette;
  readonly #plan: Plan;

  constructor(canvas: HTMLCanvasElement, plan: Plan, palette: Palette) {
    const context = canvas.getContext('2d');
    if (!context) throw new Error('this browser draws no canvas');
    this.#context = context;
    this.#plan = plan;
    this.#palette = palette;
  }

  recolour(palette: Palette): void {
    this.#palette = palette;
    this.#sheet = undefined;
  }

  paint(view: View, frame: Frame, ratio: number, scene: Scene): void {
    const context = this.#context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.#palette.ground;
    context.fillRect(0, 0, frame.width, frame.height);
    this.#stage(view, frame);
    for (const section of this.#plan.sections) if (section.general) this.#floor(section, view, frame, scene);
    this.#stampSeats(view, frame, ratio, scene);
    const radius = view.scale * this.#plan.pitch * SEAT_SHARE;
    if (radius >= LABEL_RADIUS_PX) this.#seatLabels(view, frame, radius, scene);
    if (view.scale * this.#plan.pitch >= ROW_NAME_PITCH_PX) this.#rowNames(view, frame);
    else this.#sectionNames(view, frame);
    this.#outline(scene.hover, view, frame, radius, 2);
    this.#outline(scene.cursor, view, frame, radius, 3);
  }

  #stage(view: View, frame: Frame): void {
    const [x, y, width, height] = this.#plan.stage;
    if (width <= 0 || height <= 0) return;
    const [left, top] = toScreen(view, frame, x, y);
    const context = this.#context;
    context.fillStyle = this.#palette.stage;
    context.beginPath();
    context.roundRect(left, top, width * view.scale, height * view.scale, 8);
    context.fill();
    this.#write('Stage', left + (width * view.scale) / 2, top + (height * view.scale) / 2, 15, width * view.scale);
  }

  /** A general-admission floor: an area, not seats; how full its colour is says how much is left. */
  #floor(section: Section, view: View, frame: Frame, scene: Scene): void {
    const { left, top, right, bottom, first, end } = section;
    const pad = this.#plan.pitch;
    const [x, y] = toScreen(view, frame, left - pad, top - pad);
    const [width, height] = [(right - left + pad * 2) * view.scale, (bottom - top + pad * 2) * view.scale];
    const tier = this.#plan.tier[first] ?? 0;
    let free = 0;
    let mine = 0;
    for (let place = first; place < end; place++) {
      if (scene.mine.has(place)) mine++;
      else if (scene.states[place] === FREE) free++;
    }
    const dim = scene.tier !== undefined && scene.tier !== tier;
    const [r, g, b] = free > 0 && scene.priced.has(tier) ? this.#tierColour(tier) : this.#palette.gone;
    const context = this.#context;
    context.fillStyle = `rgb(${r} ${g} ${b} / ${dim ? 0.08 : 0.12 + (0.3 * free) / (end - first)})`;
    context.strokeStyle = `rgb(${r} ${g} ${b} / ${dim ? 0.3 : 1})`;
    context.lineWidth = mine > 0 ? 3 : 1.5;
    context.beginPath();
    context.roundRect(x, y, width, height, 10);
    context.fill();
    context.stroke();
    const note = mine > 0 ? `${mine} yours` : free > 0 ? `${free.toLocaleString('en-US')} free` : 'sold out';
    this.#write(section.name, x + width / 2, y + height / 2 - 9, 15, width);
    this.#write(note, x + width / 2, y + height / 2 + 11, 13, width);
  }

  #tierColour(tier: number): Colour {
    return this.#palette.tiers[tier % TIER_COLOURS] as Colour;
  }

  #stampSeats(view: View, frame: Frame, ratio: number, scene: Scene): void {
    const [width, height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
    if (width === 0 || height === 0) return;
    if (this.#buffer?.width !== width || this.#buffer.height !== height) {
      this.#buffer = new ImageData(width, height);
      this.#seats.width = width;
      this.#seats.height = height;
    }
    const pixels = new Uint32Array(this.#buffer.data.buffer);
    pixels.fill(0);
    const radius = Math.max(0.55, view.scale * this.#plan.pitch * SEAT_SHARE * ratio);
    if (this.#sheet?.radius !== radius) this.#sheet = new Sheet(radius);
    const sheet = this.#sheet;
    const [left, top] = toPlan(view, frame, 0, 0);
    const [right, bottom] = toPlan(view, frame, frame.width, frame.height);
    const pad = this.#plan.pitch;
    const plan = this.#plan;
    const scale = view.scale * ratio;
    const looks = this.#looks(scene);
    eachSeatIn(plan, left - pad, top - pad, right + pad, bottom + pad, (seat) => {
      const row = plan.rows[plan.rowOf[seat] ?? 0];
      if (row && plan.sections[row.section]?.general) return;
      const look = this.#lookOf(seat, scene);
      const ink = looks[look];
      if (!ink) return;
      const [px, py] = [((plan.x[seat] ?? 0) - left) * scale, ((plan.y[seat] ?? 0) - top) * scale];
      const shape = SHAPES[look & 3] as Shape;
      stamp(pixels, width, height, sheet.at(look, shape, ink, px, py), px, py);
    });
    this.#seats.getContext('2d')?.putImageData(this.#buffer, 0, 0);
    this.#context.drawImage(this.#seats, 0, 0, frame.width, frame.height);
  }

  /** Shape in the low two bits, then dimmed or not, then the tier's colour. */
  #lookOf(seat: number, scene: Scene): number {
    const tier = this.#plan.tier[seat] ?? 0;
    const colour = (tier % TIER_COLOURS) << 3;
    if (scene.mine.has(seat)) return colour | 3;
    if (scene.states[seat] !== FREE || !scene.priced.has(tier)) return 2;
    const dim = scene.tier !== undefined && scene.tier !== tier ? 4 : 0;
    return colour | dim | (this.#plan.accessible[seat] ? 1 : 0);
  }

  #looks(scene: Scene): Ink[] {
    const { gone, ring, tiers } = this.#palette;
    const inks: Ink[] = [];
    for (const [tier, fill] of tiers.entries()) {
      for (let low = 0; low < 8; low++) {
        const alpha = (low & 4) === 4 ? 0.22 : 1;
        inks[(tier << 3) | low] = { fill, ring, alpha };
      }
    }
    // Seats that are gone have one look, whatever their tier.
    inks[2] = { fill: gone, ring: gone, alpha: scene.tier === undefined ? 1 : 0.6 };
    return inks;
  }

  #seatLabels(view: View, frame: Frame, radius: number, scene: Scene): void {
    const context = this.#context;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.font = `600 ${Math.min(13, radius * 0.85)}px "Instrument Sans", system-ui, sans-serif`;
    const [left, top] = toPlan(view, frame, 0, 0);
    const [right, bottom] = toPlan(view, frame, frame.width, frame.height);
    eachSeatIn(this.#plan, left, top, right, bottom, (seat) => {
      const look = this.#lookOf(seat, scene);
      if ((look & 3) === 2) return;
      const [x, y] = toScreen(view, frame, this.#plan.x[seat] ?? 0, this.#plan.y[seat] ?? 0);
      context.fillStyle = this.#palette.ground;
      const label = scene.mine.has(seat) ? '✓' : (look & 3) === 1 ? `♿\uFE0E` : (this.#plan.labels[seat] ?? '');
      context.fillText(label, x, y + 0.5);
    });
  }

  #rowNames(view: View, frame: Frame): void {
    const context = this.#context;
    context.font = '600 12px "Instrument Sans", system-ui, sans-serif';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillStyle = this.#palette.muted;
    for (const row of this.#plan.rows) {
      if (this.#plan.sections[row.section]?.general || row.first >= row.end) continue;
      for (const [seat, next] of [
        [row.first, row.first + 1],
        [row.end - 1, row.end - 2],
      ] as const) {
        const [x, y] = toScreen(view, frame, this.#plan.x[seat] ?? 0, this.#plan.y[seat] ?? 0);
        if (x < -40 || y < -20 || x > frame.width + 40 || y > frame.height + 20) continue;
        const inward = row.end - row.first > 1 ? next : seat;
        const [ix, iy] = toScreen(view, frame, this.#plan.x[inward] ?? 0, this.#plan.y[inward] ?? 0);
        const length = Math.hypot(x - ix, y - iy) || 1;
        const out = view.scale * this.#plan.pitch * 1.05;
        context.fillText(row.label, x + ((x - ix) / length) * out, y + ((y - iy) / length) * out);
      }
    }
  }

  /** Names stand where they leave enough of their seats to be seen, smaller where there is less room: on most sections or on none. */
  #sectionNames(view: View, frame: Frame): void {
    const named: [string, number, number, number][] = [];
    let seen = 0;
    for (const { name, general, left, top, right, bottom } of this.#plan.sections) {
      if (general) continue;
      const [x, y] = toScreen(view, frame, (left + right) / 2, (top + bottom) / 2);
      if (x < 0 || y < 0 || x > frame.width || y > frame.height) continue;
      seen++;
      const [width, height] = [(right - left) * view.scale, (bottom - top) * view.scale];
      const fits = NAME_SIZES_PX.find((size) => {
        const pill = this.#pillOf(name, size);
        return pill <= width * 1.1 && pill * size * 1.7 <= width * height * NAME_SHARE_MAX;
      });
      if (fits) named.push([name, x, y, fits]);
    }
    if (seen > FEW_SECTIONS && named.length * 2 < seen) return;
    for (const [name, x, y, size] of named) this.#write(name, x, y, size, Infinity);
  }

  /** How wide a text is with its pill. */
  #pillOf(text: string, size_px: number): number {
    this.#context.font = `620 ${size_px}px "Instrument Sans", system-ui, sans-serif`;
    return this.#context.measureText(text).width + size_px;
  }

  /** Text on a pill of the ground's colour, where it has room. */
  #write(text: string, x: number, y: number, size_px: number, room_px: number): void {
    const context = this.#context;
    const width = this.#pillOf(text, size_px);
    if (width > room_px) return;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.globalAlpha = 0.88;
    context.fillStyle = this.#palette.ground;
    context.beginPath();
    context.roundRect(x - width / 2, y - size_px * 0.85, width, size_px * 1.7, size_px * 0.85);
    context.fill();
    context.globalAlpha = 1;
    context.fillStyle = this.#palette.ink;
    context.fillText(text, x, y);
  }

  #outline(seat: number | undefined, view: View, frame: Frame, radius: number, width: number): void {
    if (seat === undefined || this.#plan.sections[rowAt(this.#plan, seat).section]?.general) return;
    const [x, y] = toScreen(view, frame, this.#plan.x[seat] ?? 0, this.#plan.y[seat] ?? 0);
    const context = this.#context;
    context.beginPath();
    context.arc(x, y, Math.max(5, radius + 3), 0, Math.PI * 2);
    context.lineWidth = width;
    context.strokeStyle = this.#palette.ink;
    context.stroke();
  }
}
