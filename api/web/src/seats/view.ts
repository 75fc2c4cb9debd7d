// Where the canvas looks on the plan: a scale and an offset, kept within the plan. Pure.

export interface View {
  /** CSS pixels a metre. */
  scale: number;
  /** The plan's point at the canvas's middle, in metres. */
  x: number;
  y: number;
}

export interface Frame {
  /** The canvas in CSS pixels. */
  width: number;
  height: number;
  plan: { width: number; height: number; pitch: number };
}

const MARGIN = 0.94;
/** Pixels between two seats at the closest. */
const PITCH_PX_MAX = 52;

export function scaleMin({ width, height, plan }: Frame): number {
  return Math.min(width / plan.width, height / plan.height) * MARGIN;
}

export function scaleMax(frame: Frame): number {
  return Math.max(PITCH_PX_MAX / frame.plan.pitch, scaleMin(frame));
}

export function whole(frame: Frame): View {
  return { scale: scaleMin(frame), x: frame.plan.width / 2, y: frame.plan.height / 2 };
}

/** Holds scale and middle where something of the plan is always seen. */
export function held(view: View, frame: Frame): View {
  const scale = Math.min(scaleMax(frame), Math.max(scaleMin(frame), view.scale));
  const along = (at: number, size_px: number, size: number) => {
    const half = size_px / scale / 2;
    if (half * 2 >= size) return size / 2;
    return Math.min(size - half * 0.5, Math.max(half * 0.5, at));
  };
  return { scale, x: along(view.x, frame.width, frame.plan.width), y: along(view.y, frame.height, frame.plan.height) };
}

export function toPlan(view: View, frame: Frame, px: number, py: number): [number, number] {
  return [view.x + (px - frame.width / 2) / view.scale, view.y + (py - frame.height / 2) / view.scale];
}

export function toScreen(view: View, frame: Frame, x: number, y: number): [number, number] {
  return [(x - view.x) * view.scale + frame.width / 2, (y - view.y) * view.scale + frame.height / 2];
}

/** Zooms by a factor; the point under (px, py) stays where it is. */
export function zoomed(view: View, frame: Frame, factor: number, px: number, py: number): View {
  const scale = Math.min(scaleMax(frame), Math.max(scaleMin(frame), view.scale * factor));
  const [x, y] = toPlan(view, frame, px, py);
  return held({ scale, x: x - (px - frame.width / 2) / scale, y: y - (py - frame.height / 2) / scale }, frame);
}

export function panned(view: View, frame: Frame, dx_px: number, dy_px: number): View {
  return held({ ...view, x: view.x - dx_px / view.scale, y: view.y - dy_px / view.scale }, frame);
}

/** Moves just enough to show a point well inside the frame. */
export function showing(view: View, frame: Frame, x: number, y: number): View {
  const [px, py] = toScreen(view, frame, x, y);
  const edge = (at: number, size: number) => Math.min(0, at - size * 0.15) + Math.max(0, at - size * 0.85);
  return panned(view, frame, -edge(px, frame.width), -edge(py, frame.height));
}
