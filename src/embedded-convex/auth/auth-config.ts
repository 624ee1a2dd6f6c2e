/** Whose tokens a deployment takes: what `convex/auth.config.ts` exports, checked. */
export type AuthProvider = OidcProvider | CustomJwtProvider;

export interface OidcProvider {
  type: 'oidc';
  /** With its protocol, without a slash at the end. */
  issuer: string;
  applicationId: string;
}

export interface CustomJwtProvider {
  type: 'customJwt';
  issuer: string;
  /** Has to be in `aud`; null takes every audience. */
  applicationId: string | null;
  /** `data:`, `http(s):`, or, beyond what Convex itself takes, `file:`. */
  jwks: string;
  algorithm: 'RS256' | 'ES256';
}

/** @param exported `{ providers: [...] }`. Throws an `Error` that names what is wrong. */
export function parseAuthConfig(exported: unknown): AuthProvider[] {
  const providers = asRecord(exported)?.['providers'];
  if (!Array.isArray(providers)) {
    throw new Error('auth.config must export an object with an array "providers" as its default');
  }
  return providers.map((provider: unknown, position) => {
    const fields = asRecord(provider);
    if (fields === null) throw wrong(position, 'is not an object');
    return fields['type'] === 'customJwt'
      ? parseCustomJwt(fields, position)
      : parseOidc(fields, position);
  });
}

/** Issuers are compared in this form, because tokens and configurations differ in such details. */
export function normalIssuer(issuer: string): string {
  const url = /^https?:\/\//.test(issuer) ? issuer : `https://${issuer}`;
  return url.replace(/\/+$/, '');
}

type Fields = Record<string, unknown>;

function parseOidc(fields: Fields, position: number): OidcProvider {
  if (fields['type'] !== undefined && fields['type'] !== 'oidc') {
    throw wrong(position, `has the unknown type ${JSON.stringify(fields['type'])}`);
  }
  return {
    type: 'oidc',
    issuer: issuerOf(fields, 'domain', position),
    applicationId: text(fields, 'applicationID', position),
  };
}

function parseCustomJwt(fields: Fields, position: number): CustomJwtProvider {
  const { algorithm } = fields;
  if (algorithm !== 'RS256' && algorithm !== 'ES256') {
    throw wrong(
      position,
      `needs "algorithm": "RS256" or "ES256", not ${JSON.stringify(algorithm)}`,
    );
  }
  const jwks = text(fields, 'jwks', position);
  if (!/^(?:data|file|https?):/.test(jwks)) {
    throw wrong(position, 'needs as "jwks" a URL that begins with data:, https:, http: or file:');
  }
  const applicationId =
    fields['applicationID'] === undefined ? null : text(fields, 'applicationID', position);
  return {
    type: 'customJwt',
    issuer: issuerOf(fields, 'issuer', position),
    applicationId,
    jwks,
    algorithm,
  };
}

function issuerOf(fields: Fields, name: string, position: number): string {
  const issuer = text(fields, name, position);
  const hasProtocol = /^\w+:\/\//.test(issuer);
  const url = URL.parse(hasProtocol ? issuer : `https://${issuer}`);
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  // Convex asks for a top-level domain as well; without its list, a dot has to do.
  if (!isWeb || !(hasProtocol || url.hostname === 'localhost' || url.hostname.includes('.'))) {
    throw wrong(
      position,
      `has as "${name}" ${JSON.stringify(issuer)}, which does not look like a URL (it must have a scheme or end with a top-level domain)`,
    );
  }
  return normalIssuer(issuer);
}

function text(fields: Fields, name: string, position: number): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw wrong(position, `has no "${name}"`);
}

function asRecord(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null ? (value as Fields) : null; // any object is one
}

function wrong(position: number, what: string): Error {
  return new Error(`auth.config: provider ${position} ${what}`);
}
