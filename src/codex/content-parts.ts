/** The parts of a message, in all of Codex's spellings, as text and images. Pure. */
import { z } from 'zod';
import type { ImageReference } from './item-data.ts';
import { embeddedImage } from './portable-json.ts';

const optionalText = z.string().optional().catch(undefined);

/** One schema for them all: `text`, `input_text`, `output_text`, `Text`, `input_image`, `local_image`, … */
const part = z.object({
  type: optionalText,
  text: optionalText,
  path: optionalText,
  image_url: z
    .union([z.string(), z.object({ url: z.string() }).transform(({ url }) => url)])
    .optional()
    .catch(undefined),
  url: optionalText,
});

export const contentParts = z
  .array(part)
  .or(z.string().transform((text) => [{ type: 'text', text }] as z.infer<typeof part>[]))
  .catch([]);

export interface PartsRead {
  text: string;
  images: ImageReference[];
  /** A part that only the provider can read. */
  encrypted: boolean;
}

/** Texts in order, one after another on lines of their own, and what the images are. */
export function readParts(parts: z.infer<typeof contentParts>): PartsRead {
  const texts: string[] = [];
  const images: ImageReference[] = [];
  let encrypted = false;
  for (const entry of parts) {
    if (entry.type === 'encrypted_content') encrypted = true;
    const image = imageReference(entry);
    if (image) images.push(image);
    else if (entry.text !== undefined) texts.push(entry.text);
  }
  return { text: texts.join('\n'), images, encrypted };
}

function imageReference(entry: z.infer<typeof part>): ImageReference | null {
  const url = entry.image_url ?? (entry.type?.includes('image') ? entry.url : undefined);
  if (url !== undefined) return embeddedImage(url) ?? { url };
  if (entry.path !== undefined) return { path: entry.path };
  return null;
}
