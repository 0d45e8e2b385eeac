/** A file of the console. Its name is made of its content, so the browser has it already the next time. */
export async function load(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}. Reload the page: the console may have been updated.`);
  return response;
}
