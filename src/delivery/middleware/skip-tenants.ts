import type { Middleware } from "./middleware.ts";

/** Lets events of these tenants pass without running the handler: they count as handled. For tenants that were closed, say. */
export function skipTenants(tenantIds: Iterable<string>): Middleware {
  const skipped = new Set(tenantIds);
  return async (event, ctx, next) => {
    if (event.tenantid === undefined || !skipped.has(event.tenantid)) return next();
    ctx.log.info({ tenant: event.tenantid }, "skipped an event of a tenant");
  };
}
