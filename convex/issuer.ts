/** Who signs the tokens that these functions take: every bridge, each with a key of its own. */
export const ISSUER = 'openagents-bridge';
