/** What `vrsky init` can make. */
export const templates = ['typescript', 'assemblyscript', 'connector-typescript', 'connector-go'] as const;
export type Template = (typeof templates)[number];
