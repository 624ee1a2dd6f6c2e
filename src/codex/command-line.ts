/**
 * Commands as words and as what a person would type. The session file has the words,
 * the stream has them joined by POSIX quoting, and the model's call has only the
 * script; all three must read the same. Pure.
 */

const POSIX_SHELL = /(?:^|\/)(?:ba|z|da|k|fi)?sh$/;
const POSIX_FLAGS = /^-[a-z]*c$/;
const POWERSHELL = /(?:^|[\\/])(?:pwsh|powershell)(?:\.exe)?$/i;
const CMD = /(?:^|[\\/])cmd(?:\.exe)?$/i;

/** The script, when the words only start a shell for it; else the words, quoted where needed. */
export function commandText(words: readonly string[]): string {
  return shellScript(words) ?? words.map(quote).join(' ');
}

/** Undoes POSIX quoting; null when a quote stays open. */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let rest = line;
  while (rest !== '') {
    const space = /^[ \t\n]+/.exec(rest);
    const piece = space ?? PIECE.exec(rest);
    if (!piece) return null;
    rest = rest.slice(piece[0].length);
    if (space) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + unquoted(piece[0]);
    }
  }
  return word === null ? words : [...words, word];
}

/** One quoted or bare piece of a word. */
const PIECE = /^(?:'[^']*'|"(?:[^"\\]|\\[^])*"|\\[^]|[^\s'"\\]+)/;

function unquoted(piece: string): string {
  if (piece.startsWith("'")) return piece.slice(1, -1);
  if (piece.startsWith('"')) return piece.slice(1, -1).replaceAll(/\\([$`"\\\n])/g, '$1');
  return piece.startsWith('\\') ? piece.slice(1) : piece;
}

function shellScript(words: readonly string[]): string | null {
  const [shell = '', ...options] = words;
  const script = words.at(-1) ?? '';
  if (POSIX_SHELL.test(shell)) {
    const runsScript = options.length === 2 && POSIX_FLAGS.test(options[0] ?? '');
    return runsScript ? script : null;
  }
  if (POWERSHELL.test(shell)) {
    const flag = options.at(-2)?.toLowerCase();
    return flag === '-command' || flag === '-c' ? script : null;
  }
  return CMD.test(shell) && options.length === 2 && options[0]?.toLowerCase() === '/c'
    ? script
    : null;
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
