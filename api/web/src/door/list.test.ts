import { expect, test } from 'vitest';
import { type Admission, admitted, type DoorList, hashOf, judge, seatOf } from './list';

const seat = { holder: 'Ann', section: 'Stalls', row: 'C', label: '7' };
const list: DoorList = {
  as_of: '2030-01-01T18:00:00Z',
  tickets: [
    { sha256: 'one', ...seat },
    { sha256: 'two', ...seat, label: '8', used_at: '2030-01-01T17:50:00Z' },
    { sha256: 'floor', holder: 'Bob', section: 'Floor', row: '', label: '' },
  ],
};
const now = '2030-01-01T18:30:00Z';

test('a ticket on the list lets its holder in, once at this door', () => {
  const verdict = judge(list, [], 'one', now);
  expect(verdict).toEqual({ kind: 'admitted', seat: 'Row C, seat 7 · Stalls', holder: 'Ann', at: now, offline: true });
  const done: Admission[] = [{ id: 'a', sha256: 'one', at: '2030-01-01T18:20:00Z', code: 'c' }];
  expect(judge(list, done, 'one', now)).toMatchObject({ kind: 'used', at: '2030-01-01T18:20:00Z' });
});

test('what was used before the list was taken is used, and what is not on it is refused', () => {
  expect(judge(list, [], 'two', now)).toMatchObject({ kind: 'used', at: '2030-01-01T17:50:00Z' });
  expect(judge(list, [], 'three', now).kind).toBe('refused');
});

test('everybody who went in counts once', () => {
  const done: Admission[] = [
    { id: 'a', sha256: 'one', at: now },
    { id: 'b', sha256: 'two', at: now, conflict: 'twice' },
    { id: 'c', sha256: 'two', at: now },
  ];
  expect(admitted(list, done)).toBe(2);
  expect(admitted(undefined, done)).toBe(2);
});

test('places without numbers are named by their section', () => {
  expect(seatOf({ section: 'Floor', row: '', label: '' })).toBe('Floor · General admission');
});

test('a code is known by its SHA-256, in base64url', async () => {
  expect(await hashOf('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
});
