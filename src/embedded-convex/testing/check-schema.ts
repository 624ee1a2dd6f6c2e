import type { ValidatorJSON } from 'convex/values';
import type { SchemaJson } from '../schema.ts';

/**
 * convex-test refuses fields that begin with an underscore, where Convex itself takes no notice
 * of them: in a test it is better said.
 */
export function checkSchema(schema: SchemaJson | null): void {
  for (const { tableName, documentType } of schema?.tables ?? []) {
    for (const name of topLevelFields(documentType ?? { type: 'any' })) {
      if (name.startsWith('_') && name !== '_id' && name !== '_creationTime') {
        throw new Error(
          `In table "${tableName}": the field "${name}" begins with an underscore, which is for the fields of Convex itself.`,
        );
      }
    }
  }
}

function topLevelFields(validator: ValidatorJSON): string[] {
  if (validator.type === 'object') return Object.keys(validator.value);
  return validator.type === 'union' ? validator.value.flatMap(topLevelFields) : [];
}
