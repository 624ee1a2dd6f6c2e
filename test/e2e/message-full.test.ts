/** A message that is too large for a row, fetched over the control socket of the real daemon. */
import { ConvexHttpClient } from 'convex/browser';
import { expect, test } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { messageFrame } from '../../src/control/frames.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { createSession } from '../support/session-writer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

test('the row holds the beginning, and message.full all of it', { timeout: 60_000 }, async () => {
  using folder = temporaryFolder();
  const session = createSession(`${folder.path}/codex`);
  const text = 'a very long answer\n'.repeat(100_000);
  session.user('say much');
  session.assistant(text);
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const client = new ConvexHttpClient(daemon.convexUrl, { skipConvexDeploymentUrlCheck: true });
  client.setAuth(await daemon.convexToken());
  const isAnswer = ({ role, kind }: { role?: string; kind: string }) =>
    role === 'assistant' && kind === 'message';
  const rows = () => client.query(api.messages.forThread, { threadId: session.threadId });
  await until('the answer is mirrored', async () => (await rows()).some(isAnswer), 30_000);
  const answer = (await rows()).find(isAnswer);
  if (answer === undefined) throw new Error('it has gone again');
  expect(answer.truncated).toMatchObject({ path: session.path });
  expect(text.startsWith(answer.text ?? '')).toBe(true);

  const bridge = await daemon.connect();
  const ask = async (part: number) =>
    messageFrame.parse(await bridge.request('message.full', { messageId: answer._id, part }));
  const first = await ask(0);
  let json = first.json ?? '';
  for (let part = 1; part < first.parts; part += 1) json += (await ask(part)).json ?? '';
  expect(JSON.parse(json)).toMatchObject({ key: answer.key, role: 'assistant' });
  expect((JSON.parse(json) as { text: string }).text === text).toBe(true);

  const unknown = bridge.request('message.full', { messageId: 'nothing' });
  await expect(unknown).rejects.toMatchObject({ code: 'not_found' });
  bridge.close();
});
