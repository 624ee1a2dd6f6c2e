/** What tells the texts that may hold a secret from all others: how secrets begin. */

/** Something that every secret of some kind has. What follows it is left to the rules. */
export interface Sign {
  /** It begins with one of these. */
  beginnings: readonly string[];
  /** And goes on so: the source of a regular expression. */
  rest: string;
}

const KEY_NAMES = ['SECRET', 'TOKEN', 'PASSWORD', 'PASSWD', 'KEY', 'CREDENTIAL', 'CREDENTIALS'];
const LETTERS = Array.from('abcdefghijklmnopqrstuvwxyz');

const SIGNS: readonly (readonly [beginnings: string | readonly string[], rest: string])[] = [
  ['sk-', '[A-Za-z0-9_-]{16}'],
  ['sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_', ''],
  ['whsec_', ''],
  ['gho_ ghp_ ghs_ ghu_ ghr_', '[A-Za-z0-9]{16}'],
  ['github_pat_', ''],
  [LETTERS.map((letter) => `gl${letter}`), '[a-z]{1,4}-[A-Za-z0-9_-]{16}'],
  ['glc_ glsa_', '[A-Za-z0-9+/]{16}'],
  [LETTERS.map((letter) => `xox${letter}`), '[.-]'],
  ['xapp-', ''],
  ['hooks.slack.com', ''],
  ['npm_', '[A-Za-z0-9_]{16}'],
  ['uthToken=', ''],
  [':x-oauth-basic', ''],
  ['hf_ api_org_', '[A-Za-z0-9]{34}'],
  ['gsk_', '[A-Za-z0-9]{16}'],
  ['xai-', '[A-Za-z0-9]{16}'],
  ['r8_', '[A-Za-z0-9]{37}'],
  ['pplx-', '[A-Za-z0-9]{16}'],
  ['lin_api_', ''],
  ['ntn_', '[0-9]{11}'],
  ['SG.', '\\w+\\.\\w'],
  ['shpat_ shpca_ shppa_ shpss_', '[A-Za-z0-9]{16}'],
  ['ops_ey', ''],
  ['hvs. hvb. hvr.', '[A-Za-z0-9_-]{16}'],
  ['vcp_ vci_ vca_ vcr_ vck_', '[A-Za-z0-9]{20}'],
  ['dapi', '[A-Fa-f0-9]{32}'],
  ['dckr_pat_', ''],
  ['figd_', '[A-Za-z0-9_-]{16}'],
  ['cfk_ cfut_ cfat_', '[A-Za-z0-9]{16}'],
  ['tskey-', ''],
  ['AKIA ASIA ABIA ACCA', '[A-Z0-9]{16}'],
  ['A3T', '[A-Z0-9]{17}'],
  ['ccessKey ccesskey ccess_Key ccess_key', '["\'\\\\\\s]*[:=]'],
  ['FwoGZXIvYXdzE IQoJb3JpZ2lu', ''],
  ['AIza GOCSPX- ya29.', ''],
  ['1//0', '[A-Za-z0-9_-]{16}'],
  ['AccountKey= AccessKey=', ''],
  ['dop_v1_ doo_v1_ dor_v1_', ''],
  ['pypi-AgE', ''],
  ['rubygems_', '[a-f0-9]{48}'],
  ['sbp_ sb_secret_', '[A-Za-z0-9_-]{20}'],
  ['pscale_', ''],
  ['sntrys_ sntryu_', ''],
  ['ATATT3', ''],
  ['key-', '[0-9a-f]{32}'],
  [':AA', '[\\w-]{33}'],
  ['AGE-SECRET', ''],
  ['prod: dev: preview: project:', '[a-z0-9:-]+\\|'],
  ['eyJ', '[A-Za-z0-9_-]{8,}\\.eyJ'],
  [['earer '], ' *[^\\s]{20}'],
  ['uthorization', '["\'\\\\]*\\s*[:=]'],
  [['PRIVATE KEY'], ''],
  [KEY_NAMES, '(?:_[A-Z0-9_]+)?=["\'\\\\]*[^\\s]{16}'],
  ['://', '[^\\s/@:]*:[^\\s/@]+@'],
];

export const knownSigns: readonly Sign[] = SIGNS.map(([beginnings, rest]) => ({
  beginnings: typeof beginnings === 'string' ? beginnings.split(' ') : beginnings,
  rest,
}));
