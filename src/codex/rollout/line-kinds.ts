/**
 * Every kind of line that Codex is known to write, and what becomes of it. A kind is
 * the line's `type`, then its payload's, then the type of the item inside.
 *
 * Sources: files of 40 releases, 0.20 to 0.169, and Codex's public source. A kind
 * that is not here is reported as `unknown`, and its line is kept aside.
 */
export type LineKind = keyof typeof lineKinds;

export type LineRule =
  /** Items of this kind, or what is known of the thread, or both. */
  { becomes: string } | { leftOut: string };

const sameAsItem = 'the same as an item_completed or event of its own';
const forTheModel = 'configuration that the harness shows to the model';
const settings = 'configuration of the session';

export const lineKinds = {
  session_meta: { becomes: 'thread' },
  turn_context: { becomes: 'thread' },
  compacted: { becomes: 'preface' },
  world_state: { leftOut: forTheModel },
  token_usage_record: { becomes: 'turn, thread' },
  inter_agent_communication_metadata: { leftOut: 'delivery detail of the next line' },
  inter_agent_communication: { leftOut: 'delivery detail of the next line' },
  security_risk_score: { leftOut: 'rating by the provider' },
  dynamic_tools_updated: { leftOut: settings },
  retained_context: { leftOut: forTheModel },
  realtime_item: { leftOut: 'voice session detail' },

  'response_item/message': { becomes: 'preface, message, thread' },
  'response_item/reasoning': { becomes: 'reason' },
  'response_item/function_call': { becomes: 'cmd, file, mcp, todo' },
  'response_item/function_call_output': { becomes: 'cmd, file, mcp, todo' },
  'response_item/custom_tool_call': { becomes: 'file, mcp' },
  'response_item/custom_tool_call_output': { becomes: 'file, mcp' },
  'response_item/local_shell_call': { becomes: 'cmd' },
  'response_item/web_search_call': { becomes: 'search' },
  'response_item/tool_search_call': { becomes: 'mcp' },
  'response_item/tool_search_output': { leftOut: forTheModel },
  'response_item/image_generation_call': { becomes: 'mcp' },
  'response_item/agent_message': { becomes: 'message' },
  'response_item/additional_tools': { leftOut: forTheModel },
  'response_item/compaction': { leftOut: 'encrypted, for the provider' },
  'response_item/compaction_summary': { leftOut: 'encrypted, for the provider' },
  'response_item/context_compaction': { leftOut: 'encrypted, for the provider' },
  'response_item/ghost_snapshot': { leftOut: 'commit id of an undo snapshot' },
  'response_item/other': { leftOut: 'what Codex itself did not understand' },

  'event_msg/task_started': { becomes: 'turn' },
  'event_msg/task_complete': { becomes: 'turn, error' },
  'event_msg/turn_aborted': { becomes: 'turn' },
  'event_msg/token_count': { becomes: 'turn, thread' },
  'event_msg/thread_name_updated': { becomes: 'thread' },
  'event_msg/thread_settings_applied': { leftOut: settings },
  'event_msg/thread_goal_updated': { leftOut: settings },

  // The wrapped generation (0.30 to 0.147).
  'event_msg/user_message': { becomes: 'message, preface, thread' },
  'event_msg/agent_message': { becomes: 'message' },
  'event_msg/agent_reasoning': { becomes: 'reason' },
  'event_msg/agent_reasoning_raw_content': { becomes: 'reason' },
  'event_msg/agent_reasoning_section_break': { leftOut: 'empty' },
  'event_msg/exec_command_end': { becomes: 'cmd' },
  'event_msg/patch_apply_end': { becomes: 'file' },
  'event_msg/mcp_tool_call_end': { becomes: 'mcp' },
  'event_msg/web_search_end': { becomes: 'search' },
  'event_msg/view_image_tool_call': { becomes: 'mcp' },
  'event_msg/image_generation_end': { becomes: 'mcp' },
  'event_msg/dynamic_tool_call_request': { leftOut: 'its call and its response say the same' },
  'event_msg/dynamic_tool_call_response': { becomes: 'mcp' },
  'event_msg/collab_agent_spawn_end': { becomes: 'mcp' },
  'event_msg/collab_agent_interaction_end': { becomes: 'mcp' },
  'event_msg/collab_waiting_end': { becomes: 'mcp' },
  'event_msg/collab_close_end': { becomes: 'mcp' },
  'event_msg/collab_resume_end': { becomes: 'mcp' },
  'event_msg/sub_agent_activity': { becomes: 'mcp' },
  'event_msg/context_compacted': { becomes: 'message' },
  'event_msg/entered_review_mode': { becomes: 'message' },
  'event_msg/exited_review_mode': { becomes: 'message' },
  'event_msg/undo_completed': { becomes: 'message' },
  'event_msg/thread_rolled_back': { becomes: 'message, thread' },
  'event_msg/error': { becomes: 'error' },
  'event_msg/stream_error': { becomes: 'error' },
  'event_msg/warning': { becomes: 'error' },
  'event_msg/guardian_assessment': { leftOut: 'rating of an approval by the harness' },

  // The bare generation (before 0.30); its items are those of `response_item`.
  record_state: { leftOut: 'a record of the harness’s state' },

  // 0.148 and later.
  'event_msg/item_completed/UserMessage': { becomes: 'message, thread' },
  'event_msg/item_completed/AgentMessage': { becomes: 'message' },
  'event_msg/item_completed/Reasoning': { becomes: 'reason' },
  'event_msg/item_completed/CommandExecution': { becomes: 'cmd' },
  'event_msg/item_completed/FileChange': { becomes: 'file' },
  'event_msg/item_completed/McpToolCall': { becomes: 'mcp' },
  'event_msg/item_completed/DynamicToolCall': { becomes: 'mcp' },
  'event_msg/item_completed/CollabAgentToolCall': { becomes: 'mcp' },
  'event_msg/item_completed/SubAgentActivity': { becomes: 'mcp' },
  'event_msg/item_completed/WebSearch': { becomes: 'search' },
  'event_msg/item_completed/Extension': { becomes: 'search, mcp' },
  'event_msg/item_completed/ImageView': { becomes: 'mcp' },
  'event_msg/item_completed/ImageGeneration': { becomes: 'mcp' },
  'event_msg/item_completed/Plan': { becomes: 'message' },
  'event_msg/item_completed/ContextCompaction': { becomes: 'message' },
  'event_msg/item_completed/EnteredReviewMode': { becomes: 'message' },
  'event_msg/item_completed/ExitedReviewMode': { becomes: 'message' },
  'event_msg/item_completed/HookPrompt': { leftOut: forTheModel },
  'event_msg/item_completed/Sleep': { leftOut: 'a pause of the harness' },
} as const satisfies Record<string, LineRule>;

/** Reasons that depend on more than the kind. */
export const leftOutBecause = {
  sameAsItem,
  inherited: 'copied from the parent thread',
  mirrored: 'belongs to a child thread, which has a file of its own',
  repeatedMeta: 'the session meta again',
  empty: 'nothing to read in it',
  nothingNew: 'says again what is known',
  stillRunning: 'the command goes on in the background, its end comes as an item',
  ofCompaction: 'what the model thought while it shortened its context',
  unnamedTurn: 'a turn without an id',
  otherThread: 'the session meta of another thread',
} as const;

export function isLineKind(kind: string): kind is LineKind {
  return Object.hasOwn(lineKinds, kind);
}
