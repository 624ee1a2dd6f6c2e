interface Intrinsics {
  Error: ErrorConstructor;
  Promise: PromiseConstructor;
  Date: DateConstructor;
  Math: Math;
}

/** A built-in object of a realm, which is not the one of ours with the same name. */
export function realmIntrinsic<Name extends keyof Intrinsics>(
  global: object,
  name: Name,
): Intrinsics[Name] {
  // Asked before any function ran, so it is what the language defines.
  return Reflect.get(global, name);
}
