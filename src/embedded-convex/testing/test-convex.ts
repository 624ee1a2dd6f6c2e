import type {
  DataModelFromSchemaDefinition,
  FunctionReference,
  FunctionReturnType,
  FunctionType,
  FunctionVisibility,
  GenericActionCtx,
  GenericDataModel,
  GenericMutationCtx,
  GenericQueryCtx,
  GenericSchema,
  OptionalRestArgs,
  RequestMetadata,
  SchemaDefinition,
  UserIdentity,
} from 'convex/server';
import type { ModuleLoaders } from './host-functions.ts';

/** What `convexTest` gives: the same members as in the `convex-test` package. */
export type TestConvex<Schema extends SchemaDefinition<GenericSchema, boolean>> = TestConvexRoot<
  DataModelFromSchemaDefinition<Schema>
>;

export interface TestConvexForDataModel<DataModel extends GenericDataModel> {
  /** A public or internal query by its reference, or a function that gets a query's context. */
  query: Caller<'query', GenericQueryCtx<DataModel>>;
  /** A public or internal mutation by its reference, or a function that gets a mutation's context. */
  mutation: Caller<'mutation', GenericMutationCtx<DataModel>>;
  /** A public or internal action by its reference, or a function that gets an action's context. */
  action: Caller<'action', GenericActionCtx<DataModel>>;
  /** Reads and writes the database in one transaction. */
  run<Output>(
    handler: (
      ctx: GenericMutationCtx<DataModel> & Pick<GenericActionCtx<DataModel>, 'storage'>,
    ) => Promise<Output>,
  ): Promise<Output>;
  /** HTTP actions are not in the embedded backend: rejects, and says so. */
  fetch(pathQueryFragment: string, init?: RequestInit): Promise<Response>;
  /** Until every scheduled function that has begun has ended. */
  finishInProgressScheduledFunctions(): Promise<void>;
  /**
   * Until no scheduled function is left, also of those that they schedule. `advanceTimers` (for
   * instance `vi.runAllTimers`) is called in each round; rejects after `maxIterations` rounds,
   * 100 unless told.
   */
  finishAllScheduledFunctions(advanceTimers: () => void, maxIterations?: number): Promise<void>;
  /** The same backend as somebody sees it; `issuer` and `subject` are made up when missing. */
  withIdentity(identity: Partial<UserIdentity>): TestConvexForDataModel<DataModel>;
  /** The same backend for requests with this metadata; what is missing is null. */
  withRequestMetadata(
    metadata: Partial<Pick<RequestMetadata, 'ip' | 'userAgent'>>,
  ): TestConvexForDataModel<DataModel>;
}

export interface TestConvexRoot<
  DataModel extends GenericDataModel,
> extends TestConvexForDataModel<DataModel> {
  /** Components are not in the embedded backend: throws, and says so. */
  registerComponent(
    componentPath: string,
    schema: SchemaDefinition<GenericSchema, boolean>,
    modules: ModuleLoaders,
  ): void;
}

type AnyReference<Kind extends FunctionType> = FunctionReference<Kind, FunctionVisibility>;

type Caller<Kind extends FunctionType, Context> = <
  Target extends AnyReference<Kind> | ((ctx: Context) => Promise<unknown>),
>(
  target: Target,
  ...args: Target extends AnyReference<Kind> ? OptionalRestArgs<Target> : []
) => Promise<
  Target extends AnyReference<Kind>
    ? FunctionReturnType<Target>
    : Target extends (ctx: Context) => Promise<infer Output>
      ? Output
      : never
>;
