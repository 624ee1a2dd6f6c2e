/**
 * A compressed session file as a file of its lines. What Codex compresses is cold: it is
 * read once, or again when somebody asks for all of a message. So its content goes into
 * a temporary file, where everything that works on a plain file works on it too, and
 * memory stays flat however large it is.
 */
import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';

/**
 * Rejects with the error of zlib when the content is damaged or not whole, and with the
 * system's when there is no room. The caller closes the handle; then the content is gone.
 */
export async function decompress(compressed: FileHandle): Promise<FileHandle> {
  const path = join(tmpdir(), `oa-bridge-${randomUUID()}.jsonl`);
  // `wx`: nobody else's file, and nobody's link.
  const content = await open(path, 'wx+', 0o600);
  try {
    // On Windows a file that is open keeps its name until it is closed.
    await unlink(path);
    await pipeline(
      compressed.createReadStream({ autoClose: false, start: 0 }),
      createZstdDecompress(),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) await content.writeFile(chunk);
      },
    );
    return content;
  } catch (error) {
    await content.close();
    throw error;
  }
}
