import { expect, test } from 'vitest';
import { pathHere, signedIn, signInAddress } from './session';

test('only the mark means signed in', () => {
  expect(signedIn('a=b; signed_in=1')).toBe(true);
  expect(signedIn('not_signed_in=1')).toBe(false);
});

test('one comes back to where one was, and nowhere else', () => {
  expect(pathHere('/events/1?a=b#seats')).toBe('/events/1?a=b#seats');
  for (const elsewhere of ['//evil.test', '/\\evil.test', 'https://evil.test', '', undefined]) {
    expect(pathHere(elsewhere)).toBe('/');
  }
  expect(signInAddress('/events/1#seats')).toBe('/signin?next=%2Fevents%2F1%23seats');
});
