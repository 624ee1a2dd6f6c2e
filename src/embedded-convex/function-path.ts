/**
 * `a/b:c` for whatever a client writes: the JavaScript client sends it so, others leave `.js`
 * on the module or the export `default` away.
 */
export function canonicalFunctionPath(path: string): string {
  const colon = path.lastIndexOf(':');
  const module = colon === -1 ? path : path.slice(0, colon);
  const name = colon === -1 ? 'default' : path.slice(colon + 1);
  return `${module.endsWith('.js') ? module.slice(0, -3) : module}:${name}`;
}
