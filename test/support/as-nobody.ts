/** Root may read anything: for tests of what may not be read it is nobody for a while. */
const NOBODY = 65_534;

export function asNobody(isRoot: boolean): Disposable {
  if (isRoot) process.seteuid?.(NOBODY);
  return { [Symbol.dispose]: () => (isRoot ? process.seteuid?.(0) : undefined) };
}

export function asRoot(isRoot: boolean, act: () => void): void {
  if (isRoot) process.seteuid?.(0);
  act();
  if (isRoot) process.seteuid?.(NOBODY);
}
