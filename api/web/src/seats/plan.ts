// A seat plan as flat arrays by seat_no, with a grid to find the seat under a pointer: nothing here is slow at 200,000 seats.

export interface PlanJson {
  name: string;
  width: number;
  height: number;
  stage: [number, number, number, number];
  tiers: string[];
  sections: {
    name: string;
    general_admission?: boolean;
    rows: {
      label: string;
      seats: { seat_no: number; label: string; x: number; y: number; tier: number; accessible?: boolean }[];
    }[];
  }[];
}

export interface Row {
  section: number;
  label: string;
  first: number;
  end: number;
}

export interface Section {
  name: string;
  general: boolean;
  /** Rows are `rows[firstRow..endRow]`, seats `first..end`. */
  firstRow: number;
  endRow: number;
  first: number;
  end: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Every array is indexed by seat_no; lengths in metres. */
export interface Plan {
  name: string;
  width: number;
  height: number;
  stage: [number, number, number, number];
  tiers: string[];
  count: number;
  x: Float32Array;
  y: Float32Array;
  tier: Uint16Array;
  accessible: Uint8Array;
  rowOf: Uint32Array;
  labels: string[];
  rows: Row[];
  sections: Section[];
  /** Distance between neighbours: what a seat's size follows from. */
  pitch: number;
  grid: Grid;
}

interface Grid {
  cell: number;
  columns: number;
  lines: number;
  starts: Uint32Array;
  seats: Uint32Array;
}

export function readPlan(json: PlanJson): Plan {
  const count = json.sections.reduce((sum, { rows }) => sum + rows.reduce((n, { seats }) => n + seats.length, 0), 0);
  const plan: Omit<Plan, 'grid' | 'pitch'> = {
    name: json.name,
    width: json.width,
    height: json.height,
    stage: json.stage,
    tiers: json.tiers,
    count,
    x: new Float32Array(count),
    y: new Float32Array(count),
    tier: new Uint16Array(count),
    accessible: new Uint8Array(count),
    rowOf: new Uint32Array(count),
    labels: new Array<string>(count),
    rows: [],
    sections: [],
  };
  let at = 0;
  for (const [s, section] of json.sections.entries()) {
    const firstRow = plan.rows.length;
    const first = at;
    for (const row of section.rows) {
      const from = at;
      for (const seat of row.seats) {
        plan.x[at] = seat.x;
        plan.y[at] = seat.y;
        plan.tier[at] = seat.tier;
        plan.accessible[at] = seat.accessible ? 1 : 0;
        plan.rowOf[at] = plan.rows.length;
        plan.labels[at] = seat.label;
        at++;
      }
      plan.rows.push({ section: s, label: row.label, first: from, end: at });
    }
    const general = section.general_admission ?? false;
    plan.sections.push({
      name: section.name,
      general,
      firstRow,
      endRow: plan.rows.length,
      first,
      end: at,
      ...bounds(plan, first, at),
    });
  }
  const pitch = pitchOf(plan.rows, plan.x, plan.y, plan.sections);
  return { ...plan, pitch, grid: gridOf(plan, Math.max(pitch * 2, 0.5)) };
}

function bounds({ x, y }: { x: Float32Array; y: Float32Array }, first: number, end: number) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let seat = first; seat < end; seat++) {
    left = Math.min(left, x[seat] ?? 0);
    right = Math.max(right, x[seat] ?? 0);
    top = Math.min(top, y[seat] ?? 0);
    bottom = Math.max(bottom, y[seat] ?? 0);
  }
  return { left, top, right, bottom };
}

/** The median distance of neighbours in a row, from a sample of rows. */
function pitchOf(rows: Row[], x: Float32Array, y: Float32Array, sections: Section[]): number {
  const distances: number[] = [];
  const step = Math.max(1, Math.floor(rows.length / 200));
  for (let r = 0; r < rows.length; r += step) {
    const row = rows[r];
    if (!row || sections[row.section]?.general) continue;
    for (let seat = row.first + 1; seat < row.end; seat++) {
      distances.push(Math.hypot((x[seat] ?? 0) - (x[seat - 1] ?? 0), (y[seat] ?? 0) - (y[seat - 1] ?? 0)));
    }
  }
  distances.sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] || 0.55;
}

/** Seats sorted by cell: a counting sort, so that a cell's seats are one slice. */
function gridOf(plan: Omit<Plan, 'grid' | 'pitch'>, cell: number): Grid {
  const columns = Math.max(1, Math.ceil(plan.width / cell) + 1);
  const lines = Math.max(1, Math.ceil(plan.height / cell) + 1);
  const cellOf = (seat: number) => {
    const column = Math.min(columns - 1, Math.max(0, Math.floor((plan.x[seat] ?? 0) / cell)));
    const line = Math.min(lines - 1, Math.max(0, Math.floor((plan.y[seat] ?? 0) / cell)));
    return line * columns + column;
  };
  const starts = new Uint32Array(columns * lines + 1);
  for (let seat = 0; seat < plan.count; seat++) starts[cellOf(seat) + 1] = (starts[cellOf(seat) + 1] ?? 0) + 1;
  for (let c = 0; c < columns * lines; c++) starts[c + 1] = (starts[c + 1] ?? 0) + (starts[c] ?? 0);
  const next = starts.slice();
  const seats = new Uint32Array(plan.count);
  for (let seat = 0; seat < plan.count; seat++) {
    const c = cellOf(seat);
    seats[next[c] ?? 0] = seat;
    next[c] = (next[c] ?? 0) + 1;
  }
  return { cell, columns, lines, starts, seats };
}

/** Calls back for every seat whose cell touches the rectangle. */
export function eachSeatIn(
  plan: Plan,
  left: number,
  top: number,
  right: number,
  bottom: number,
  see: (seat: number) => void,
): void {
  const { cell, columns, lines, starts, seats } = plan.grid;
  const clamp = (value: number, most: number) => Math.min(most, Math.max(0, Math.floor(value / cell)));
  const [from, to] = [clamp(left, columns - 1), clamp(right, columns - 1)];
  for (let line = clamp(top, lines - 1); line <= clamp(bottom, lines - 1); line++) {
    const end = starts[line * columns + to + 1] ?? 0;
    for (let i = starts[line * columns + from] ?? 0; i < end; i++) see(seats[i] ?? 0);
  }
}

/** The seat nearest to a point, within `reach` metres. Places of general admission are found by {@link sectionAt}. */
export function seatAt(plan: Plan, x: number, y: number, reach: number): number | undefined {
  let best: number | undefined;
  let least = reach;
  eachSeatIn(plan, x - reach, y - reach, x + reach, y + reach, (seat) => {
    const distance = Math.hypot((plan.x[seat] ?? 0) - x, (plan.y[seat] ?? 0) - y);
    if (distance <= least && !sectionOf(plan, seat).general) {
      least = distance;
      best = seat;
    }
  });
  return best;
}

/** The general-admission section around a point. */
export function sectionAt(plan: Plan, x: number, y: number): number | undefined {
  const found = plan.sections.findIndex(
    ({ general, left, top, right, bottom }) => general && x >= left && x <= right && y >= top && y <= bottom,
  );
  return found < 0 ? undefined : found;
}

export function rowAt(plan: Plan, seat: number): Row {
  return plan.rows[plan.rowOf[seat] ?? 0] as Row;
}

export function sectionOf(plan: Plan, seat: number): Section {
  return plan.sections[rowAt(plan, seat).section] as Section;
}

/** `Stalls, row C, seat 12`, or the section alone where places have no number. */
export function seatName(plan: Plan, seat: number): string {
  const section = sectionOf(plan, seat);
  if (section.general) return section.name;
  return `${section.name}, row ${rowAt(plan, seat).label}, seat ${plan.labels[seat]}`;
}

/** The nearest seat in a direction (dx, dy one of -1, 0, 1): what an arrow key moves to. */
export function neighbour(plan: Plan, seat: number, dx: number, dy: number): number {
  const [x, y] = [plan.x[seat] ?? 0, plan.y[seat] ?? 0];
  let best = seat;
  let least = Infinity;
  for (let other = 0; other < plan.count; other++) {
    const [ox, oy] = [(plan.x[other] ?? 0) - x, (plan.y[other] ?? 0) - y];
    const along = ox * dx + oy * dy;
    const across = Math.abs(ox * dy) + Math.abs(oy * dx);
    if (along <= plan.pitch * 0.3 || across > along * 1.5) continue;
    const cost = along + across * 2;
    if (cost < least && !sectionOf(plan, other).general) {
      least = cost;
      best = other;
    }
  }
  return best;
}
