import { expect, test } from 'vitest';
import { createAnswerRoom } from './answer-room.ts';

function start() {
  const room = createAnswerRoom({ bytesMax: 100, bytesOfCustomerMax: 60 });
  const admitted: string[] = [];
  return { admitted, ask: (name: string, bytes: number, customerId = 'a') => room.ask(customerId, bytes, () => admitted.push(name)) };
}

test('an answer waits until there is room, and gets it in the order of asking', () => {
  const { admitted, ask } = start();
  const giveBack = ask('first', 40);
  ask('second', 30);
  ask('third', 20);
  expect(admitted).toEqual(['first', 'third']);
  giveBack();
  expect(admitted).toEqual(['first', 'third', 'second']);
});

test('a customer at its bound holds up no other, and all together stay within theirs', () => {
  const { admitted, ask } = start();
  const giveBack = ask('a1', 60, 'a');
  ask('a2', 10, 'a');
  ask('b1', 40, 'b');
  ask('c1', 10, 'c');
  expect(admitted).toEqual(['a1', 'b1']);
  giveBack();
  expect(admitted).toEqual(['a1', 'b1', 'a2', 'c1']);
});

test('who gives up waiting takes no room', () => {
  const { admitted, ask } = start();
  const giveBack = ask('first', 60);
  const giveUp = ask('second', 60);
  giveUp();
  giveBack();
  ask('third', 60);
  expect(admitted).toEqual(['first', 'third']);
});

test('an answer larger than a customer may have at a time comes alone', () => {
  const { admitted, ask } = start();
  const giveBack = ask('small', 10);
  ask('huge', 90);
  expect(admitted).toEqual(['small']);
  giveBack();
  expect(admitted).toEqual(['small', 'huge']);
});
