/**
 * A function's plain definition: what it takes, returns and does. The faces
 * (`threads.ts`, `messages.ts`, …) register them, and only they do: a function
 * registered in two files would be two public endpoints.
 */
import type { GenericValidator, Infer, ObjectType, PropertyValidators } from 'convex/values';
import type { MutationCtx, QueryCtx } from './_generated/server.js';

interface Definition<Ctx, Args extends PropertyValidators, Returns extends GenericValidator> {
  args: Args;
  returns: Returns;
  handler: (ctx: Ctx, args: ObjectType<Args>) => Promise<Infer<Returns>>;
}

export function defineQuery<Args extends PropertyValidators, Returns extends GenericValidator>(
  definition: Definition<QueryCtx, Args, Returns>,
) {
  return definition;
}

export function defineMutation<Args extends PropertyValidators, Returns extends GenericValidator>(
  definition: Definition<MutationCtx, Args, Returns>,
) {
  return definition;
}
