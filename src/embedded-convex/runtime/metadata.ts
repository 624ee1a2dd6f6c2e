/** JSON text of `ctx.meta.getFunctionMetadata()`. `path` is `folder/module:export`. */
export function functionMetadata(path: string): string {
  return JSON.stringify({ name: path.replace(/:default$/, ''), componentPath: '' });
}

/** Of `ctx.meta.getDeploymentMetadata()`: what a backend on one's own machine can say of itself. */
export const deploymentMetadata = JSON.stringify({ name: 'embedded', region: null, class: 's16' });

/** Of `log.audit()`: nobody collects audit logs here, and nothing depends on them. */
export const auditLogResult = 'null';
