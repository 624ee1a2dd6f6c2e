/**
 * One cheap look that tells texts without secrets, nearly all there are, from those
 * that the rules have to read. Pure.
 */
import type { OwnSecret } from './find-secrets.ts';

/** Something that every secret of some kind has. What follows them is left to the rules. */
const SIGNS: readonly string[] = [
  'sk-[A-Za-z0-9_-]{16}',
  '[sr]k_(?:live|test|prod)_',
  'whsec_',
  'gh[opsur]_[A-Za-z0-9]{16}',
  'github_pat_',
  'gl[a-z]{2,5}-[A-Za-z0-9_-]{16}',
  'gl(?:c|sa)_[A-Za-z0-9+/]{16}',
  'xox[a-z][.-]',
  'xapp-',
  'hooks\\.slack\\.com',
  'npm_[A-Za-z0-9_]{16}',
  'uthToken=',
  ':x-oauth-basic',
  '(?:hf|api_org)_[A-Za-z0-9]{34}',
  'gsk_[A-Za-z0-9]{16}',
  'xai-[A-Za-z0-9]{16}',
  'r8_[A-Za-z0-9]{37}',
  'pplx-[A-Za-z0-9]{16}',
  'lin_api_',
  'ntn_[0-9]{11}',
  'SG\\.\\w+\\.\\w',
  'shp(?:at|ca|pa|ss)_[A-Za-z0-9]{16}',
  'ops_ey',
  'hv[sbr]\\.[A-Za-z0-9_-]{16}',
  'vc[piark]_[A-Za-z0-9]{20}',
  'dapi[A-Fa-f0-9]{32}',
  'dckr_pat_',
  'figd_[A-Za-z0-9_-]{16}',
  'cf(?:k|ut|at)_[A-Za-z0-9]{16}',
  'tskey-',
  'A(?:KIA|SIA|BIA|CCA|3T[A-Z0-9])[A-Z0-9]{16}',
  'ccess_?[Kk]ey["\'\\\\\\s]*[:=]',
  'FwoGZXIvYXdzE|IQoJb3JpZ2lu',
  'AIza|GOCSPX-|ya29\\.|1//0[A-Za-z0-9_-]{16}',
  'AccountKey=|AccessKey=',
  'do[opr]_v1_',
  'pypi-AgE',
  'rubygems_[a-f0-9]{48}',
  'sb(?:p|_secret)_[A-Za-z0-9_-]{20}',
  'pscale_',
  'sntry[su]_',
  'ATATT3',
  'key-[0-9a-f]{32}',
  ':AA[\\w-]{33}',
  'AGE-SECRET',
  '(?:prod|dev|preview|project):[a-z0-9:-]+\\|',
  'eyJ[A-Za-z0-9_-]{8,}\\.eyJ',
  'earer +[^\\s]{20}',
  'uthorization["\'\\\\]*\\s*[:=]',
  'PRIVATE KEY',
  '(?:SECRET|TOKEN|PASSWORD|PASSWD|KEY|CREDENTIALS?)(?:_[A-Z0-9_]+)?=["\'\\\\]*[^\\s]{16}',
  '://[^\\s/@:]*:[^\\s/@]+@',
];

export function secretTrigger(own: readonly OwnSecret[]): RegExp {
  const values = own.map(({ value }) => value.replaceAll(/[^\w]/g, String.raw`\$&`));
  return new RegExp([...values, ...SIGNS].join('|'));
}
