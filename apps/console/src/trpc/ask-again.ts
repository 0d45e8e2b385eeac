import type { QueryClient, QueryFilters } from '@tanstack/react-query';

/**
 * Marks the matching queries as out of date; those on the page are asked again. A query whose first answer is still on its way is asked
 * once more when it has come: that answer may have been read before the change, and invalidating alone does nothing while there is no data.
 */
export function askAgain(queryClient: QueryClient, filters: QueryFilters): void {
  const first = queryClient
    .getQueryCache()
    .findAll({ ...filters, fetchStatus: 'fetching' })
    .filter((query) => query.state.data === undefined);
  void queryClient.invalidateQueries(filters);
  for (const query of first) {
    void query.promise?.then(
      () => queryClient.invalidateQueries({ queryKey: query.queryKey, exact: true }),
      () => undefined, // the page shows why, and offers to try again
    );
  }
}
