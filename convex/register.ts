/**
 * The one place where functions become public, by who may call them. Every face registers
 * through these four: no function of ours answers somebody without a token of the bridge.
 */
import type { Auth } from 'convex/server';
import type { GenericValidator, PropertyValidators } from 'convex/values';
import { mutation, query, internalMutation as scheduledMutation } from './_generated/server.js';
import type { defineMutation, defineQuery } from './define.ts';
import { ISSUER } from './issuer.ts';
import { refuse } from './refuse.ts';

/** Anyone who may see conversations. */
export const readerQuery = ((definition: AnyQuery) =>
  query({
    ...definition,
    handler: onlyFor(['client', 'bridge'], definition.handler),
  })) as typeof query; // Arguments and result are the definition's own.

/** Apps and the bridge: asking for a run, starting and naming a thread. */
export const clientMutation = ((definition: AnyMutation) =>
  mutation({
    ...definition,
    handler: onlyFor(['client', 'bridge'], definition.handler),
  })) as typeof mutation; // As above.

/** The bridge alone: what mirrors the logs. */
export const bridgeMutation = ((definition: AnyMutation) =>
  mutation({
    ...definition,
    handler: onlyFor(['bridge'], definition.handler),
  })) as typeof mutation; // As above.

/** Nobody from outside: what functions of ours schedule. */
export const internalMutation = ((definition: AnyMutation) =>
  scheduledMutation(definition)) as typeof scheduledMutation; // As above.

type AnyQuery = ReturnType<typeof defineQuery<PropertyValidators, GenericValidator>>;
type AnyMutation = ReturnType<typeof defineMutation<PropertyValidators, GenericValidator>>;
type Role = 'client' | 'bridge';

function onlyFor<Ctx extends { auth: Auth }, Args, Result>(
  roles: readonly Role[],
  handler: (ctx: Ctx, args: Args) => Promise<Result>,
): (ctx: Ctx, args: Args) => Promise<Result> {
  return async (ctx, args) => {
    const identity = await ctx.auth.getUserIdentity();
    // The issuer too: a role means something only where the bridge has given it.
    if (identity === null || identity.issuer !== ISSUER) {
      refuse(
        'unauthenticated',
        'This needs a token of the bridge: give setAuth what "convex.token" on the control WebSocket answers, or "oa-bridge token --convex" prints.',
      );
    }
    if (!roles.some((role) => role === identity['role'])) {
      refuse(
        'forbidden',
        `A token with the role ${JSON.stringify(identity['role'])} may not do this, only one with the role "${roles.join('" or "')}". Apps may read, and call runs:enqueue, edit and cancel, approvals:answer, threads:create and threads:rename.`,
      );
    }
    return await handler(ctx, args);
  };
}
