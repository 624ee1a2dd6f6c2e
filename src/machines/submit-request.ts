/** Which run a client asks for: `run.submit`, or a prompt of the older client. Pure. */
import type { ControlRequest } from '../control/requests.ts';
import type { PromptFrame } from '../control/parse-frame.ts';
import type { RunsContext, SubmitInput } from './runs-events.ts';

type SubmitRequest = Extract<ControlRequest, { control: 'run.submit' }>;

export function fromRequest(request: SubmitRequest, machineId: string): SubmitInput {
  const { id, threadDocId, text, projectId, resumeId, model, sandbox, approvals, onConflict } =
    request;
  return {
    machineId,
    thread: { docId: threadDocId },
    text,
    ...(projectId === undefined ? {} : { projectId }),
    ...(resumeId === undefined ? {} : { resumeId }),
    ...(model === undefined ? {} : { model }),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(approvals === undefined ? {} : { approvals }),
    ...(onConflict === undefined ? {} : { onConflict }),
    // Clients count their requests from one, each time anew: a number names nothing for ever.
    ...(typeof id === 'string' ? { receipt: id } : {}),
  };
}

/**
 * The older client knows no threads: its prompts go to the current one, which is the
 * one that was last used, in the directory that the prompt names if it names one.
 */
export function fromPrompt(prompt: PromptFrame, context: RunsContext): SubmitInput {
  const { text, resume, sandbox, approval } = prompt;
  return {
    machineId: context.machineId,
    thread: threadOf(prompt, context),
    text,
    ...(resume === undefined || isSessionId(resume) ? {} : { resumeId: resume }),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(approval === undefined ? {} : { approvals: approval }),
  };
}

function threadOf({ cd, resume }: PromptFrame, context: RunsContext): SubmitInput['thread'] {
  const place = cd === undefined ? {} : { cwd: cd };
  if (resume !== undefined && isSessionId(resume)) return { ...place, sessionId: resume };
  if (resume === 'new' || resume === 'none') return place;
  const known = cd === undefined ? context.lastThreadDocId : context.promptThreads[cd];
  return known == null ? place : { docId: known };
}

function isSessionId(resume: string): boolean {
  return resume !== 'new' && resume !== 'none' && resume !== 'last';
}
