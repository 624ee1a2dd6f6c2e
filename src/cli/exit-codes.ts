/** What the exit code of `oa-bridge` says; part of the public interface. */
export const EXIT = {
  done: 0,
  /** It was tried, and did not work. */
  failed: 1,
  /** The arguments or the configuration are wrong. */
  usage: 2,
  /** No bridge, or no Convex, answers. */
  unreachable: 3,
  /** Ended by Ctrl-C, as shells count it: 128 + SIGINT. */
  interrupted: 130,
  /** Whoever read its output has left, as shells count it: 128 + SIGPIPE. */
  unread: 141,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
