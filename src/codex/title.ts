/** Thread titles from first prompts. Pure. */

/** Characters; the contract with the table `threads`. */
const MAX_TITLE = 60;

/** Editors put open files and selections before what the user typed, under this heading. */
const REQUEST_HEADING = /^## My request for Codex:\s*$/m;
const IDE_CONTEXT = /^# Context from my IDE setup:/;
/** Parts that clients add to a prompt: attached images, piped input. */
const ATTACHMENT = /<image\b[^>]*>\s*(?:<\/image>)?|<\/image>|<stdin>[^]*?<\/stdin>/g;

/**
 * One line of at most 60 characters, cut at a word, from what the user typed, or
 * undefined when there is nothing to read.
 */
export function titleOf(prompt: string): string | undefined {
  const typed = collapse(typedText(prompt).replaceAll(ATTACHMENT, ' '));
  const line = typed === '' ? collapse(prompt) : typed;
  return line === '' ? undefined : cutAtWord(line);
}

function typedText(prompt: string): string {
  if (!IDE_CONTEXT.test(prompt.trimStart())) return prompt;
  const heading = REQUEST_HEADING.exec(prompt);
  return heading ? prompt.slice(heading.index + heading[0].length) : prompt;
}

function collapse(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\p{White_Space}+|\p{Cc}+/gu, ' ')
    .trim();
}

/** A word longer than the title is cut itself, between characters. */
function cutAtWord(line: string): string {
  if (line.length <= MAX_TITLE) return line;
  const room = MAX_TITLE - 1;
  const space = line.lastIndexOf(' ', room);
  const head = space > 0 ? line.slice(0, space) : wholeCharacters(line, room);
  return `${head.replace(/[\s,;:.–—-]+$/u, '')}…`;
}

function wholeCharacters(text: string, limit: number): string {
  let result = '';
  for (const { segment } of new Intl.Segmenter().segment(text.slice(0, limit * 4))) {
    if (result.length + segment.length > limit) break;
    result += segment;
  }
  return result === '' ? text.slice(0, limit).replace(/[\uD800-\uDBFF]$/, '') : result;
}
