/**
 * The rules of secretlint, which are kept up with what providers hand out. They are
 * made for files and run through a linter that is asynchronous; each by itself is a
 * plain function of a text, and that is how they are used here.
 */
import { rules } from '@secretlint/secretlint-rule-preset-recommend';
import type { Secret } from './find-secrets.ts';

/** The secret itself is the only property of what a rule says of it. */
type Found = Readonly<Record<string, string>>;

/** What is used of secretlint's rules (their own types come with another package). */
interface KeptRule {
  meta: { id: string };
  create(
    context: {
      createTranslator: () => (id: string, found: Found) => Found;
      report(finding: { message: Found; range: readonly [number, number] }): void;
    },
    options: object,
  ): {
    file?(source: { content: string; contentType: 'text'; ext: string; filePath: string }): unknown;
  };
}

/** What we call what they find; also the list of those that are used. */
const KINDS: Readonly<Record<string, string>> = {
  aws: 'aws-secret-key',
  privatekey: 'private-key',
  npm: 'npm-token',
  slack: 'slack-token',
  sendgrid: 'sendgrid-key',
  shopify: 'shopify-token',
  github: 'github-token',
  gitlab: 'gitlab-token',
  grafana: 'grafana-token',
  openai: 'openai-key',
  anthropic: 'anthropic-key',
  groq: 'groq-key',
  huggingface: 'huggingface-token',
  linear: 'linear-key',
  notion: 'notion-token',
  stripe: 'stripe-key',
  '1password': '1password-token',
  'hashicorp-vault': 'vault-token',
  vercel: 'vercel-token',
  databricks: 'databricks-token',
  docker: 'docker-token',
  figma: 'figma-token',
  cloudflare: 'cloudflare-token',
  tailscale: 'tailscale-key',
};

/** Known, and not used. */
export const UNUSED_RULES: ReadonlySet<string> = new Set([
  // Lets a comment in the text turn all others off.
  'filter-comments',
  // Looks at key files by their names; the key within is found by its own shape.
  'gcp',
  // They take the whole address; ours leaves all but the password.
  'basicauth',
  'database-connection-string',
]);

const PREFIX = '@secretlint/secretlint-rule-';
// secretlint's types come with a package of its own; `KeptRule` is what we have seen of them.
const all = rules as unknown as readonly KeptRule[];

/** Without their prefix: a release that brings another one is noticed by a test. */
export const ruleNames: readonly string[] = all.map(({ meta }) => meta.id.slice(PREFIX.length));

let content = '';
let findings: Secret[] = [];
const scanners = all.flatMap((rule) => {
  const kind = KINDS[rule.meta.id.slice(PREFIX.length)];
  if (kind === undefined) return [];
  const scanner = rule.create(
    {
      createTranslator: () => (_, found) => found,
      report({ message, range }) {
        // Some ranges begin at what introduces the secret, and end too early.
        const [value = ''] = Object.values(message);
        const start = content.indexOf(value, range[0]);
        const length = kind === 'private-key' ? value.length : firstWord(value).length;
        findings.push({ kind, start, end: start + length });
      },
    },
    {},
  );
  return [scanner];
});

export function keptRules(view: string): Secret[] {
  findings = [];
  content = view;
  // That name makes the rule of npm look for what such a file holds.
  const source = { content, contentType: 'text', ext: '', filePath: '.npmrc' } as const;
  for (const scanner of scanners) scanner.file?.(source);
  return findings;
}

/** A rule may take the rest of the line, which in JSON is the rest of the text. */
function firstWord(value: string): string {
  return /^[^\s"'`\\,;)}\]]*/.exec(value)?.[0] ?? value;
}

export const usedKinds = KINDS;
