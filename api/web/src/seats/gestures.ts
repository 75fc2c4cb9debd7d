// Pointers, wheel and pinch on the canvas, told apart: a drag moves, two fingers zoom, a press without moving chooses.

export interface Gestures {
  pan: (dx: number, dy: number) => void;
  /** False when there was nothing left to zoom, so that the page may scroll. */
  zoom: (factor: number, x: number, y: number) => boolean;
  press: (x: number, y: number, touch: boolean) => void;
  hover: (x: number, y: number) => void;
  leave: () => void;
  drag: (going: boolean) => void;
}

const SLOP_PX = 6;

/** Listens until the returned function is called. Coordinates are CSS pixels from the canvas's corner. */
export function listen(canvas: HTMLCanvasElement, to: Gestures): () => void {
  const down = new Map<number, { x: number; y: number }>();
  let moved = 0;
  let spread = 0;
  const at = (event: PointerEvent | WheelEvent) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const pinch = () => {
    const [a, b] = [...down.values()];
    if (!a || !b) return { distance: 0, x: 0, y: 0 };
    return { distance: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };

  const pressed = (event: PointerEvent) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    if (down.size === 1) moved = 0;
    if (down.size === 2) {
      moved = SLOP_PX + 1;
      spread = pinch().distance;
    }
  };
  const pinched = (event: PointerEvent, here: { x: number; y: number }) => {
    const before = pinch();
    down.set(event.pointerId, here);
    const after = pinch();
    if (spread > 0 && before.distance > 0) to.zoom(after.distance / before.distance, after.x, after.y);
    to.pan(after.x - before.x, after.y - before.y);
  };
  const movedTo = (event: PointerEvent) => {
    const here = at(event);
    const before = down.get(event.pointerId);
    if (!before) {
      if (event.pointerType === 'mouse') to.hover(here.x, here.y);
      return;
    }
    if (down.size === 2) {
      pinched(event, here);
      return;
    }
    const [dx, dy] = [here.x - before.x, here.y - before.y];
    moved += Math.hypot(dx, dy);
    down.set(event.pointerId, here);
    if (moved > SLOP_PX) {
      to.drag(true);
      to.pan(dx, dy);
    }
  };
  const lifted = (event: PointerEvent) => {
    const here = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (here && down.size === 0) {
      to.drag(false);
      if (moved <= SLOP_PX && event.type === 'pointerup') to.press(here.x, here.y, event.pointerType !== 'mouse');
    }
  };
  const wheeled = (event: WheelEvent) => {
    const { x, y } = at(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0022;
    if (to.zoom(Math.exp(-event.deltaY * lines * speed), x, y)) event.preventDefault();
  };

  canvas.addEventListener('pointerdown', pressed);
  canvas.addEventListener('pointermove', movedTo);
  canvas.addEventListener('pointerup', lifted);
  canvas.addEventListener('pointercancel', lifted);
  canvas.addEventListener('pointerleave', to.leave);
  canvas.addEventListener('wheel', wheeled, { passive: false });
  return () => {
    canvas.removeEventListener('pointerdown', pressed);
    canvas.removeEventListener('pointermove', movedTo);
    canvas.removeEventListener('pointerup', lifted);
    canvas.removeEventListener('pointercancel', lifted);
    canvas.removeEventListener('pointerleave', to.leave);
    canvas.removeEventListener('wheel', wheeled);
  };
}
