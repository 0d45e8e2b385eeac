import type { BenchMessage } from '../../workbench/bench-types.ts';

/** What a sample is besides its text. It stays in the page: only fixtures keep it. */
export interface SampleFacts {
  contentType: string;
  headers: Record<string, string>;
  /** Set when it is a message that came in. */
  message: BenchMessage | null;
}

export const typedFacts: SampleFacts = { contentType: 'application/json', headers: {}, message: null };

export const firstSample = `{
  "id": "A-1001",
  "status": "paid",
  "customer": { "first": "Ada", "last": "Lovelace" },
  "lines": [{ "sku": "SKU-1", "quantity": 2, "price": 9.99 }]
}`;

/** Which of the editor's languages a payload is shown in. */
export function editorLanguage(contentType: string): 'json' | 'text' {
  return /json/i.test(contentType) ? 'json' : 'text';
}
