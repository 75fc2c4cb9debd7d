// Plans for tests and for looking at the map without a server.
import type { PlanJson } from './plan';

/** A house of curved rows: sections side by side, seats numbered densely. */
export function house(sections: number, rows: number, seats: number): PlanJson {
  let seat_no = 0;
  const width = sections * (seats * 0.55 + 1.2);
  const plan: PlanJson = {
    name: 'House',
    width,
    height: rows * 0.95 + 12,
    stage: [width * 0.3, 0, width * 0.4, 5],
    tiers: ['Front', 'Middle', 'Back'],
    sections: [],
  };
  for (let s = 0; s < sections; s++) {
    const section: PlanJson['sections'][number] = { name: `Block ${s + 1}`, rows: [] };
    for (let r = 0; r < rows; r++) {
      const label = String.fromCharCode(65 + (r % 26)) + (r >= 26 ? Math.floor(r / 26) : '');
      const row: (typeof section.rows)[number] = { label, seats: [] };
      for (let i = 0; i < seats; i++) {
        const x = s * (seats * 0.55 + 1.2) + 0.8 + i * 0.55;
        const bow = ((x - width / 2) / width) ** 2 * 6;
        const tier = Math.min(2, Math.floor((r * 3) / rows));
        const accessible = r === rows - 1 && i < 2;
        row.seats.push({ seat_no: seat_no++, label: String(i + 1), x, y: 9 + r * 0.95 - bow, tier, accessible });
      }
      section.rows.push(row);
    }
    plan.sections.push(section);
  }
  return plan;
}
