const fallback = '{"id":"A-1001","status":"paid","customer":{"first":"Ada","last":"Lovelace"},"lines":[{"sku":"SKU-1","quantity":2,"price":9.99}]}';

/** A ready line for a terminal: the sample of the first step, so that the pipeline knows what to do with it. */
export function curlLine(url: string, sample: string | undefined): string {
  const body = compact(sample ?? fallback);
  const type = body === null ? 'text/plain' : 'application/json';
  return `curl -i ${url} \\\n  -H 'Content-Type: ${type}' \\\n  -d ${quoted(body ?? sample ?? '')}`;
}

/** On one line; null when it is not JSON. */
function compact(sample: string): string | null {
  try {
    return JSON.stringify(JSON.parse(sample));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** As one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
