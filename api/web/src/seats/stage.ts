// The map as a thing with a view: draws once a frame when something changed, answers gestures and keys.
import { listen } from './gestures';
import { Painter, readPalette, type Scene } from './paint';
import { neighbour, type Plan, seatAt, sectionAt } from './plan';
import { FREE } from './states';
import { type Frame, held, panned, showing, toPlan, toScreen, type View, whole, zoomed } from './view';

/** What the map points at: one seat, or a floor where any place will do. */
export type Target = { seat: number } | { floor: number };

export interface Asked {
  /** A seat or floor was pressed, or chosen by key. */
  choose: (target: Target) => void;
  /** The pointer or the key cursor rests on something; screen coordinates for a tip. */
  point: (target: Target | undefined, x: number, y: number) => void;
}

const TOUCH_REACH_PX = 18;
const MOUSE_REACH_PX = 9;
/** A tap on a crowd of tiny seats zooms in first instead of choosing one by luck. */
const CHOOSE_PITCH_PX_MIN = 7;
const STEP = 1.5;

export class Stage {
  readonly #canvas: HTMLCanvasElement;
  readonly #plan: Plan;
  readonly #painter: Painter;
  readonly #asked: Asked;
  readonly #stops: (() => void)[] = [];
  #frame: Frame;
  #view: View;
  #scene: Scene;
  #queued = 0;
  #untouched = true;

  constructor(canvas: HTMLCanvasElement, plan: Plan, scene: Scene, asked: Asked) {
    this.#canvas = canvas;
    this.#plan = plan;
    this.#scene = scene;
    this.#asked = asked;
    this.#painter = new Painter(canvas, plan, readPalette(canvas.parentElement ?? document.body));
    this.#frame = { width: canvas.clientWidth, height: canvas.clientHeight, plan };
    this.#view = whole(this.#frame);
    this.#stops.push(
      listen(canvas, {
        pan: (dx, dy) => this.#look(panned(this.#view, this.#frame, dx, dy)),
        zoom: (factor, x, y) => this.#zoom(factor, x, y),
        press: (x, y, touch) => this.#press(x, y, touch),
        hover: (x, y) => this.#hover(x, y),
        leave: () => this.#point(undefined, 0, 0),
        drag: (going) => canvas.classList.toggle('dragging', going),
      }),
    );
    const sized = new ResizeObserver(() => this.#resize());
    sized.observe(canvas);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const recolour = () => {
      this.#painter.recolour(readPalette(canvas.parentElement ?? document.body));
      this.#draw();
    };
    scheme.addEventListener('change', recolour);
    this.#stops.push(
      () => sized.disconnect(),
      () => scheme.removeEventListener('change', recolour),
    );
    this.#resize();
  }

  stop(): void {
    cancelAnimationFrame(this.#queued);
    for (const stop of this.#stops) stop();
  }

  show(scene: Partial<Scene>): void {
    this.#scene = { ...this.#scene, ...scene };
    this.#draw();
  }

  zoomBy(factor: number): void {
    this.#zoom(factor, this.#frame.width / 2, this.#frame.height / 2);
  }

  showAll(): void {
    this.#look(whole(this.#frame));
  }

  /** Brings a seat into sight, near enough to be seen. */
  showSeat(seat: number, near: boolean): void {
    const [x, y] = [this.#plan.x[seat] ?? 0, this.#plan.y[seat] ?? 0];
    const scale = near ? Math.max(this.#view.scale, 16 / this.#plan.pitch) : this.#view.scale;
    const there = scale === this.#view.scale ? this.#view : { scale, x, y };
    this.#look(showing(held(there, this.#frame), this.#frame, x, y));
  }

  /** The keys of the map: arrows move the cursor from seat to seat, + − 0 zoom, Enter and Space choose. True when taken. */
  key(key: string, shift: boolean): boolean {
    const arrows: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const arrow = arrows[key];
    if (arrow && shift) this.#look(panned(this.#view, this.#frame, arrow[0] * -60, arrow[1] * -60));
    else if (arrow) this.#step(arrow);
    else if (key === '+' || key === '=') this.zoomBy(STEP);
    else if (key === '-') this.zoomBy(1 / STEP);
    else if (key === '0') this.showAll();
    else if (key === 'Enter' || key === ' ') this.#chooseAtCursor();
    else return false;
    return true;
  }

  #step([dx, dy]: [number, number]): void {
    const from = this.#scene.cursor;
    const seat = from === undefined ? this.#firstSeat() : neighbour(this.#plan, from, dx, dy);
    if (seat === undefined) return;
    this.#scene = { ...this.#scene, cursor: seat, hover: undefined };
    this.showSeat(seat, true);
    const [x, y] = this.#placeOf(seat);
    this.#asked.point({ seat }, x, y);
  }

  /** Where the cursor starts: the free seat nearest to the middle of what is seen. */
  #firstSeat(): number | undefined {
    let best: number | undefined;
    let least = Infinity;
    for (let seat = 0; seat < this.#plan.count; seat++) {
      if (this.#scene.states[seat] !== FREE) continue;
      const distance = Math.hypot((this.#plan.x[seat] ?? 0) - this.#view.x, (this.#plan.y[seat] ?? 0) - this.#view.y);
      if (distance < least) {
        least = distance;
        best = seat;
      }
    }
    return best;
  }

  #chooseAtCursor(): void {
    if (this.#scene.cursor === undefined) this.#step([0, 0]);
    else this.#asked.choose({ seat: this.#scene.cursor });
  }

  #placeOf(seat: number): [number, number] {
    return toScreen(this.#view, this.#frame, this.#plan.x[seat] ?? 0, this.#plan.y[seat] ?? 0);
  }

  #under(px: number, py: number, reach_px: number): Target | undefined {
    const [x, y] = toPlan(this.#view, this.#frame, px, py);
    const reach = Math.max(this.#plan.pitch * 0.6, reach_px / this.#view.scale);
    const seat = seatAt(this.#plan, x, y, reach);
    if (seat !== undefined) return { seat };
    const floor = sectionAt(this.#plan, x, y);
    return floor === undefined ? undefined : { floor };
  }

  #press(x: number, y: number, touch: boolean): void {
    const target = this.#under(x, y, touch ? TOUCH_REACH_PX : MOUSE_REACH_PX);
    if (!target) return;
    if ('seat' in target && this.#view.scale * this.#plan.pitch < CHOOSE_PITCH_PX_MIN) {
      this.#zoom((CHOOSE_PITCH_PX_MIN * 2.2) / (this.#view.scale * this.#plan.pitch), x, y);
      return;
    }
    this.#asked.choose(target);
    if (touch) this.#point(target, x, y);
  }

  #hover(x: number, y: number): void {
    this.#point(this.#under(x, y, MOUSE_REACH_PX), x, y);
  }

  #point(target: Target | undefined, x: number, y: number): void {
    const seat = target && 'seat' in target ? target.seat : undefined;
    this.#canvas.classList.toggle('over', target !== undefined);
    if (seat !== this.#scene.hover) this.show({ hover: seat });
    const [px, py] = seat === undefined ? [x, y] : this.#placeOf(seat);
    this.#asked.point(target, px, py);
  }

  #zoom(factor: number, x: number, y: number): boolean {
    const next = zoomed(this.#view, this.#frame, factor, x, y);
    const changed = next.scale !== this.#view.scale;
    this.#look(next);
    return changed;
  }

  #look(view: View): void {
    this.#view = view;
    this.#untouched = false;
    this.#draw();
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = Math.min(devicePixelRatio, 2);
    this.#frame = { width, height, plan: this.#plan };
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#view = this.#untouched ? whole(this.#frame) : held(this.#view, this.#frame);
    this.#paint();
  }

  #draw(): void {
    if (this.#queued) return;
    this.#queued = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    cancelAnimationFrame(this.#queued);
    this.#queued = 0;
    this.#painter.paint(this.#view, this.#frame, Math.min(devicePixelRatio, 2), this.#scene);
  }
}
