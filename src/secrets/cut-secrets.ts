/** The first part of a secret whose rest was cut off, by us, by Codex or because it is still being written. Pure. */
import type { OwnSecret, Secret } from './find-secrets.ts';
import { plainView } from './plain-view.ts';

/** Characters. Less of a secret is none. */
const LEAST = 8;

/** How secrets begin that are long runs of characters. */
const BEGINNINGS: readonly (readonly [kind: string, beginning: string])[] = [
  ['anthropic-key', 'sk-ant-'],
  ['openai-key', 'sk-'],
  ['github-token', 'gh[opsur]_|github_pat_'],
  ['gitlab-token', 'gl[a-z]{2,5}-'],
  ['slack-token', 'xox[a-z][.-]|xapp-'],
  ['stripe-key', '[sr]k_(?:live|test|prod)_|whsec_'],
  ['npm-token', 'npm_'],
  ['huggingface-token', 'hf_'],
  ['google-key', 'AIza'],
  ['google-secret', 'GOCSPX-'],
  ['google-token', 'ya29\\.|1//0'],
  ['aws-key-id', 'AKIA|ASIA'],
  ['jwt', 'eyJ[A-Za-z0-9_-]{4}'],
  ['groq-key', 'gsk_'],
  ['xai-key', 'xai-'],
  ['pypi-token', 'pypi-AgE'],
  ['vault-token', 'hv[sbr]\\.'],
  ['sendgrid-key', 'SG\\.'],
  ['replicate-token', 'r8_'],
  ['perplexity-key', 'pplx-'],
  ['linear-key', 'lin_api_'],
  ['notion-token', 'ntn_'],
  ['shopify-token', 'shp(?:at|ca|pa|ss)_'],
  ['grafana-token', 'gl(?:c|sa)_'],
  ['1password-token', 'ops_ey'],
  ['vercel-token', 'vc[piark]_'],
  ['databricks-token', 'dapi'],
  ['docker-token', 'dckr_pat_'],
  ['figma-token', 'figd_'],
  ['cloudflare-token', 'cf(?:k|ut|at)_'],
  ['tailscale-key', 'tskey-'],
  ['digitalocean-token', 'do[opr]_v1_'],
  ['rubygems-key', 'rubygems_'],
  ['supabase-key', 'sb(?:p|_secret)_'],
  ['planetscale-token', 'pscale_(?:tkn|pw|oauth)_'],
  ['sentry-token', 'sntry[su]_'],
  ['atlassian-token', 'ATATT3'],
  ['mailgun-key', 'key-(?=[0-9a-f]+$)'],
  ['telegram-token', '\\d{8,10}:AA'],
  ['age-key', 'AGE-SECRET-KEY-1'],
  ['convex-key', '(?:prod|dev|preview|project):[a-z0-9-]+(?::[a-z0-9-]+)?\\|'],
  ['slack-token', 'https://hooks\\.slack\\.com/services/'],
  ['bearer-token', '[Bb]earer +'],
  [
    'variable',
    '[A-Z0-9_]*(?:SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY)(?:_[A-Z0-9_]+)?=["\']?',
  ],
];

const RUN = `[A-Za-z0-9_.~+/=|-]{${LEAST},}$`;
const LEAST_RUN = new RegExp(`^${RUN}`);
const AT_END = BEGINNINGS.map(([kind, beginning]) => ({
  kind,
  pattern: new RegExp(`(?<![A-Za-z0-9])(?:${beginning})${RUN}`),
}));
/** A password whose `@` is missing; a port is none. */
const PASSWORD = /:\/\/[^\s:/?#@"'`\\<>]{0,200}:([^\s/@"'`\\<>{}…]{3,300})$/;
/** Characters before an end that are looked at; a token of a session may have thousands. */
const LONGEST = 4096;

/** Before each `…`, which begins the mark that Codex puts where it cut, and at the end of a cut text. */
export function cutSecrets(text: string, own: readonly OwnSecret[], isCut: boolean): Secret[] {
  const secrets: Secret[] = [];
  for (let at = text.indexOf('…'); at !== -1; at = text.indexOf('…', at + 1)) {
    secrets.push(...endingAt(text, at));
  }
  if (isCut) {
    secrets.push(...ownEndingAt(text, own), ...endingAt(text, text.length), ...passwordAtEnd(text));
  }
  return secrets;
}

function endingAt(text: string, end: number): Secret[] {
  if (!LEAST_RUN.test(text.slice(Math.max(0, end - LEAST), end))) return [];
  const earliest = Math.max(0, end - LONGEST);
  const view = plainView(text.slice(earliest, end));
  for (const { kind, pattern } of AT_END) {
    const match = pattern.exec(view);
    // Words are cut as well; keys have digits, or both cases.
    if (match === null || !/\d|[a-z][A-Z]/.test(match[0])) continue;
    return [{ kind, start: earliest + startOfValue(match), end }];
  }
  return [];
}

function passwordAtEnd(text: string): Secret[] {
  const password = PASSWORD.exec(text.slice(-600))?.[1];
  if (password === undefined || /^\d{1,5}$/.test(password)) return [];
  return [{ kind: 'password', start: text.length - password.length, end: text.length }];
}

/** The beginning of a secret of ours. */
function ownEndingAt(text: string, own: readonly OwnSecret[]): Secret[] {
  return own.flatMap(({ kind, value }) => {
    for (let length = Math.min(value.length - 1, text.length); length >= LEAST; length -= 1) {
      if (text.endsWith(value.slice(0, length))) {
        return [{ kind, start: text.length - length, end: text.length }];
      }
    }
    return [];
  });
}

/** The name of a variable and the word Bearer stay. */
function startOfValue({ index, 0: match }: RegExpExecArray): number {
  const name = /^(?:[Bb]earer +|[A-Z0-9_]+=["']?)/.exec(match);
  return index + (name?.[0].length ?? 0);
}
