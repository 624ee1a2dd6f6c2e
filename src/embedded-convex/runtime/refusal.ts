/** What queries and mutations are told about whatever would make them depend on more than data. */
export function refusal(description: string): string {
  return `Can't use ${description} in queries and mutations. Please consider using an action. See https://docs.convex.dev/functions/actions for more details.`;
}
