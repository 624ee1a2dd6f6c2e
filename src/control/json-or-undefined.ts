/** What a text says if it is JSON; what it should look like is for a schema to say. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
