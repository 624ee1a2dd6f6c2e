/** The last fragment of a message, which is a text. */
const FINAL_TEXT = 0x81;

/**
 * A text as it goes over the wire to a client: one unmasked frame (RFC 6455, 5.2). ws makes it
 * anew for each client; what is told to all is made once, and shared by all that have yet to
 * take it.
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headLength = length < 126 ? 2 : length < 2 ** 16 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headLength + length);
  frame[0] = FINAL_TEXT;
  if (headLength === 2) frame[1] = length;
  else if (headLength === 4) frame.writeUInt16BE(length, frame.writeUInt8(126, 1));
  else frame.writeBigUInt64BE(BigInt(length), frame.writeUInt8(127, 1));
  frame.write(text, headLength);
  return frame;
}
