/** Whether a host name, without the brackets of a URL, is this machine's own whatever its network. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
