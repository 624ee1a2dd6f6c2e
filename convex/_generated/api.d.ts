/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";
import type * as approvals from "../approvals.js";
import type * as approvals_mutations from "../approvals/mutations.js";
import type * as approvals_queries from "../approvals/queries.js";
import type * as cursors from "../cursors.js";
import type * as cursors_move from "../cursors/move.js";
import type * as cursors_queries from "../cursors/queries.js";
import type * as define from "../define.js";
import type * as issuer from "../issuer.js";
import type * as messages from "../messages.js";
import type * as messages_ingest from "../messages/ingest.js";
import type * as messages_mutations from "../messages/mutations.js";
import type * as messages_newest_first from "../messages/newest-first.js";
import type * as messages_queries from "../messages/queries.js";
import type * as messages_reconcile from "../messages/reconcile.js";
import type * as messages_rematch from "../messages/rematch.js";
import type * as messages_repair from "../messages/repair.js";
import type * as messages_reverts from "../messages/reverts.js";
import type * as messages_row_changes from "../messages/row-changes.js";
import type * as messages_streamed from "../messages/streamed.js";
import type * as page from "../page.js";
import type * as projects from "../projects.js";
import type * as projects_mutations from "../projects/mutations.js";
import type * as projects_queries from "../projects/queries.js";
import type * as refuse from "../refuse.js";
import type * as register from "../register.js";
import type * as runs from "../runs.js";
import type * as runs_mutations from "../runs/mutations.js";
import type * as runs_queries from "../runs/queries.js";
import type * as skills from "../skills.js";
import type * as skills_mutations from "../skills/mutations.js";
import type * as skills_queries from "../skills/queries.js";
import type * as threads from "../threads.js";
import type * as threads_identity from "../threads/identity.js";
import type * as threads_mutations from "../threads/mutations.js";
import type * as threads_place from "../threads/place.js";
import type * as threads_queries from "../threads/queries.js";
import type * as threads_title from "../threads/title.js";
import type * as validators from "../validators.js";

/**
 * A utility for referencing Convex functions in your app's API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
declare const fullApi: ApiFromModules<{
  approvals: typeof approvals;
  "approvals/mutations": typeof approvals_mutations;
  "approvals/queries": typeof approvals_queries;
  cursors: typeof cursors;
  "cursors/move": typeof cursors_move;
  "cursors/queries": typeof cursors_queries;
  define: typeof define;
  issuer: typeof issuer;
  messages: typeof messages;
  "messages/ingest": typeof messages_ingest;
  "messages/mutations": typeof messages_mutations;
  "messages/newest-first": typeof messages_newest_first;
  "messages/queries": typeof messages_queries;
  "messages/reconcile": typeof messages_reconcile;
  "messages/rematch": typeof messages_rematch;
  "messages/repair": typeof messages_repair;
  "messages/reverts": typeof messages_reverts;
  "messages/row-changes": typeof messages_row_changes;
  "messages/streamed": typeof messages_streamed;
  page: typeof page;
  projects: typeof projects;
  "projects/mutations": typeof projects_mutations;
  "projects/queries": typeof projects_queries;
  refuse: typeof refuse;
  register: typeof register;
  runs: typeof runs;
  "runs/mutations": typeof runs_mutations;
  "runs/queries": typeof runs_queries;
  skills: typeof skills;
  "skills/mutations": typeof skills_mutations;
  "skills/queries": typeof skills_queries;
  threads: typeof threads;
  "threads/identity": typeof threads_identity;
  "threads/mutations": typeof threads_mutations;
  "threads/place": typeof threads_place;
  "threads/queries": typeof threads_queries;
  "threads/title": typeof threads_title;
  validators: typeof validators;
}>;
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;
