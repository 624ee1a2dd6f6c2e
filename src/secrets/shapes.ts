/** Shapes of secrets that the kept rules lack, or see only in one form of several. Pure. */
import type { Secret } from './find-secrets.ts';

interface Shape {
  kind: string;
  /** Its last group is the secret, where there is one. */
  pattern: RegExp;
  /** What the pattern alone cannot tell. */
  isSecret?: (match: string) => boolean;
}

/** Words and identifiers have no digits between letters of both cases; keys do. */
const isRandom = (text: string) => /\d/.test(text) && /[A-Za-z]/.test(text);
/** A run of sixteen without a hyphen: no name of a style sheet, no branch of git. */
const hasLongRun = (text: string) => isRandom(text) && /[A-Za-z0-9]{16}/.test(text);
/** No value is here, only the name of one: `$TOKEN`, `<token>`, `process.env.TOKEN`. */
const isValue = (text: string) =>
  isRandom(text) && !/^[a-z_]+(?:\.[a-z_]+)+$/i.test(text) && !/^(?:https?:)?\/\//.test(text);

/** Neither letter nor digit before it. */
const word = (pattern: string) => new RegExp(`(?<![A-Za-z0-9])${pattern}`, 'g');
/** Nor anything else of base64url, where so short a beginning comes about by chance. */
const alone = (pattern: string) => new RegExp(`(?<![A-Za-z0-9_-])${pattern}(?![A-Za-z0-9_-])`, 'g');

const ON_VIEW: readonly Shape[] = [
  { kind: 'anthropic-key', pattern: word('sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{20,}') },
  // Also of those who took its shape over: OpenRouter, DeepSeek, LiteLLM.
  { kind: 'openai-key', pattern: alone('sk-(?!ant-)[A-Za-z0-9_-]{20,}'), isSecret: hasLongRun },
  { kind: 'github-token', pattern: word('gh[opsur]_[A-Za-z0-9]{36,}') },
  { kind: 'github-token', pattern: word('github_pat_[A-Za-z0-9_]{40,}') },
  {
    kind: 'gitlab-token',
    pattern: alone('gl(?:pat|ptt|dt|rt|cbt|ft|oas|soat|imt|agent)-[A-Za-z0-9_.-]{20,}'),
    isSecret: isRandom,
  },
  { kind: 'slack-token', pattern: word('(?:xox[a-z](?:\\.[a-z]+)?|xapp)-[A-Za-z0-9-]{20,}') },
  { kind: 'stripe-key', pattern: word('(?:[sr]k_(?:live|test|prod)|whsec)_[A-Za-z0-9]{20,}') },
  { kind: 'huggingface-token', pattern: alone('(?:hf|api_org)_[A-Za-z0-9]{34,}') },
  { kind: 'xai-key', pattern: alone('xai-[A-Za-z0-9]{40,}') },
  { kind: 'replicate-token', pattern: alone('r8_[A-Za-z0-9]{37,}') },
  { kind: 'perplexity-key', pattern: alone('pplx-[A-Za-z0-9]{40,}') },
  {
    kind: 'aws-key-id',
    pattern: word('(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])'),
    isSecret: (match) => !match.endsWith('EXAMPLE'),
  },
  {
    kind: 'aws-secret-key',
    pattern:
      /(?:ecret_?[Aa]ccess_?[Kk]ey|SECRET_ACCESS_KEY)["'\\\s]*(?::|=>?)[\s"'\\]*([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/g,
    isSecret: (match) => !match.includes('EXAMPLE'),
  },
  { kind: 'aws-session-token', pattern: word('(?:FwoGZXIvYXdzE|IQoJb3JpZ2lu)[A-Za-z0-9/+=]{60,}') },
  { kind: 'google-key', pattern: word('AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])') },
  { kind: 'google-secret', pattern: word('GOCSPX-[A-Za-z0-9_-]{24,}') },
  { kind: 'google-token', pattern: word('(?:ya29\\.|1//0)[A-Za-z0-9_-]{30,}') },
  { kind: 'azure-key', pattern: /(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})/g },
  { kind: '1password-token', pattern: word('ops_ey[A-Za-z0-9+/=_-]{100,}') },
  { kind: 'digitalocean-token', pattern: word('do[opr]_v1_[a-f0-9]{64}') },
  { kind: 'pypi-token', pattern: word('pypi-AgE[A-Za-z0-9_-]{50,}') },
  { kind: 'rubygems-key', pattern: word('rubygems_[a-f0-9]{48}') },
  { kind: 'supabase-key', pattern: alone('sb(?:p_[a-f0-9]{40}|_secret_[A-Za-z0-9_-]{20,})') },
  { kind: 'planetscale-token', pattern: word('pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,}') },
  { kind: 'sentry-token', pattern: word('sntry[su]_[A-Za-z0-9+/=_-]{40,}') },
  { kind: 'atlassian-token', pattern: word('ATATT3[A-Za-z0-9_=-]{60,}') },
  { kind: 'mailgun-key', pattern: word('key-[0-9a-f]{32}(?![0-9a-zA-Z])') },
  { kind: 'telegram-token', pattern: word('\\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])') },
  { kind: 'age-key', pattern: word('AGE-SECRET-KEY-1[A-Z0-9]{58}') },
  {
    kind: 'convex-key',
    pattern: word('(?:prod|dev|preview|project):[a-z0-9-]+(?::[a-z0-9-]+)?\\|[A-Za-z0-9+/=]{20,}'),
  },
  {
    kind: 'jwt',
    pattern: word('eyJ[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{10,}'),
  },
  {
    kind: 'authorization',
    pattern: /uthorization["'\\]*\s*[:=]["'\\\s]*(?:[A-Za-z]+ +)?([A-Za-z0-9._~+/|-]{16,}=*)/g,
    isSecret: isValue,
  },
  {
    kind: 'bearer-token',
    pattern: /(?<![A-Za-z])[Bb]earer +([A-Za-z0-9._~+/|-]{20,}=*)/g,
    isSecret: isValue,
  },
  {
    kind: 'variable',
    // A line of `env`, or of a file of settings: the name says that the value is secret.
    pattern:
      /(?<![A-Za-z0-9_$])[A-Z0-9_]*(?:SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS?)(?:_[A-Z0-9_]+)?=["'\\]{0,4}([A-Za-z0-9._~+/|:@!%^*-]{16,}=*)/g,
    isSecret: isValue,
  },
];

/** In an address a blank ends it, and `%40` belongs to the password. */
const ON_TEXT: readonly Shape[] = [
  { kind: 'github-token', pattern: /:\/\/([A-Za-z0-9_]{20,}):x-oauth-basic@/g },
  {
    kind: 'password',
    pattern:
      /:\/\/([^\s:/?#@"'`\\<>[\](){}|]{0,200}):(?!\1@)([^\s/@"'`\\<>{}]{3,300})@[A-Za-z0-9[]/g,
    // Names of a variable, and what every manual has in this place.
    isSecret: (password) =>
      !/^x-oauth-basic$|^\$|^%[A-Z_]+%$|^[*x.…]+$|^(?:your[_-]?)?(?:my[_-]?)?(?:pass(?:word|wd)?|pwd|secret|root|admin|user|guest|postgres|token)$/i.test(
        password,
      ),
  },
];

export const shapeKinds: readonly string[] = [...ON_VIEW, ...ON_TEXT].map(({ kind }) => kind);

export function shapes(view: string, text: string): Secret[] {
  return [...inText(ON_VIEW, view), ...inText(ON_TEXT, text)];
}

function inText(some: readonly Shape[], text: string): Secret[] {
  const secrets: Secret[] = [];
  for (const { kind, pattern, isSecret } of some) {
    for (const match of text.matchAll(pattern)) {
      const value = match.slice(1).findLast((group) => group !== undefined) ?? match[0];
      if (isSecret?.(value) === false) continue;
      // The group, where there is one, is what the match goes on to.
      const start = match.index + match[0].lastIndexOf(value);
      secrets.push({ kind, start, end: start + value.length });
    }
  }
  return secrets;
}
