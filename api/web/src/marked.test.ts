import { expect, test } from 'vitest';
import { emphasised } from './marked';

test('marks become strong pieces and entities become text', () => {
  expect(emphasised('Strauss &amp; <b>Mah</b>ler')).toEqual([
    { text: 'Strauss & ', strong: false },
    { text: 'Mah', strong: true },
    { text: 'ler', strong: false },
  ]);
});

test('any other markup stays text', () => {
  expect(emphasised('<img src=x>')).toEqual([{ text: '<img src=x>', strong: false }]);
});
