import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { expect, test, vi } from 'vitest';
import { askAgain } from './ask-again.ts';

/** A query on a page, whose answers the test gives one by one. */
function trial() {
  const client = new QueryClient();
  const asked: PromiseWithResolvers<string>[] = [];
  const queryFn = () => {
    const answer = Promise.withResolvers<string>();
    asked.push(answer);
    return answer.promise;
  };
  const observer = new QueryObserver<string>(client, { queryKey: ['messages', 'list'], queryFn, staleTime: Number.POSITIVE_INFINITY });
  observer.subscribe(() => undefined);
  return { client, asked, observer };
}

test('a change while the first answer is on its way is not missed', async () => {
  const { client, asked, observer } = trial();
  askAgain(client, { queryKey: ['messages'] });
  expect(asked).toHaveLength(1);
  asked[0]?.resolve('before the change');
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  asked[1]?.resolve('after it');
  await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe('after it'));
  expect(asked).toHaveLength(2);
});

test('a change after the first answer asks once more', async () => {
  const { client, asked, observer } = trial();
  asked[0]?.resolve('first');
  await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe('first'));
  askAgain(client, { queryKey: ['messages'] });
  await vi.waitFor(() => expect(asked).toHaveLength(2));
});

test('a change of something else asks nothing', async () => {
  const { client, asked } = trial();
  askAgain(client, { queryKey: ['nodes'] });
  asked[0]?.resolve('first');
  await Promise.resolve();
  expect(asked).toHaveLength(1);
});
