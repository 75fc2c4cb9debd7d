import { afterEach, expect, test, vi } from 'vitest';
import { attemptKey, call, insist, Refusal, ServerClock } from './api';

afterEach(() => vi.unstubAllGlobals());

function answers(...responses: Response[]) {
  const asked: { path: string; key: string | null }[] = [];
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    asked.push({ path, key: new Headers(init.headers).get('idempotency-key') });
    const response = responses.shift();
    if (!response) throw new TypeError('unreachable');
    return response;
  });
  return asked;
}

const problem = (status: number, kind: string, headers = {}) =>
  new Response(JSON.stringify({ type: `/problem/${kind}`, title: 'no', seats: [4] }), { status, headers });

test('a problem becomes a refusal with its own fields', async () => {
  answers(problem(409, 'seats-taken'));
  const asked = call('/ticket/reserve', { method: 'POST', body: {} });
  await expect(asked).rejects.toMatchObject({ kind: 'seats-taken', status: 409, fields: { seats: [4] } });
});

test('a busy server is asked again with the same key', async () => {
  const asked = answers(
    problem(503, 'busy', { 'retry-after': '0' }),
    new Response('{"reserve_id":"a"}', { status: 201 }),
  );
  expect(await insist('/ticket/reserve', { method: 'POST', body: {}, key: 'k' })).toEqual({ reserve_id: 'a' });
  expect(asked.map(({ key }) => key)).toEqual(['k', 'k']);
});

test('a decided refusal is not asked again', async () => {
  const asked = answers(problem(409, 'seats-taken'));
  await expect(insist('/x', { key: 'k' })).rejects.toThrow(Refusal);
  expect(asked.length).toBe(1);
});

test('the server clock takes the nearest of what it heard', () => {
  const clock = new ServerClock();
  clock.heard('Thu, 03 Dec 2026 19:30:00 GMT', Date.parse('2026-12-03T19:29:50.900Z'));
  clock.heard('Thu, 03 Dec 2026 19:30:01 GMT', Date.parse('2026-12-03T19:29:51.200Z'));
  clock.heard('nonsense');
  expect(clock.now(0)).toBe(9800);
});

test('keys differ', () => {
  expect(attemptKey()).toHaveLength(32);
  expect(attemptKey()).not.toBe(attemptKey());
});
