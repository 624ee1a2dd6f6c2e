/** What a service manager is told of the daemon: text only, so that it can be shown and checked. */
export interface ServiceSpec {
  /** The program and its arguments, absolute. */
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
}

/** Of a user's systemd: restarted when it fails or is silent, ended with all its children. */
export function systemdUnit({ command, environment }: ServiceSpec): string {
  const variables = Object.entries(environment).map(
    ([name, value]) => `Environment=${quoted(`${name}=${value}`)}`,
  );
  return `[Unit]
Description=openagents-bridge: runs Codex for clients and mirrors its sessions into Convex
After=network-online.target

[Service]
Type=notify
# systemd-notify, which the daemon starts, is not the main process.
NotifyAccess=all
ExecStart=${command.map((part) => quoted(part).replaceAll('$', '$$$$')).join(' ')}
${variables.join('\n')}
Restart=on-failure
RestartSec=2
# Wrong arguments or a wrong configuration do not become right by themselves.
RestartPreventExitStatus=2
WatchdogSec=30
TimeoutStopSec=15
KillMode=control-group
UMask=0077

[Install]
WantedBy=default.target
`;
}

/** Of a user's launchd: started at login, and again when it fails. */
export function launchdPlist(label: string, { command, environment }: ServiceSpec): string {
  const text = (value: string) => `<string>${escaped(value)}</string>`;
  const variables = Object.entries(environment).map(
    ([name, value]) => `    <key>${escaped(name)}</key>${text(value)}`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>${text(label)}
  <key>ProgramArguments</key>
  <array>
${command.map((part) => `    ${text(part)}`).join('\n')}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
${variables.join('\n')}
  </dict>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key>
  <dict><key>SuccessfulExit</key><false/></dict>
  <key>ExitTimeOut</key><integer>15</integer>
  <key>Umask</key><integer>63</integer>
</dict>
</plist>
`;
}

/** systemd reads `%` as the beginning of a specifier. */
function quoted(text: string): string {
  const inner = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');
  return `"${inner.replaceAll('\n', '\\n')}"`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
