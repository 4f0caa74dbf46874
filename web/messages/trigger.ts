import { table } from './table.svelte.ts';

/** The form that triggers a run. */
export const triggerText = table({
  en: {
    title: (dag: string) => `Trigger ${dag}`,
    description: 'Starts one run with the newest version.',
    conf: 'Configuration (JSON)',
    params: 'Parameters',
    parameter: 'Name',
    type: 'Type',
    default: 'Default',
    required: 'required',
    invalidJson: 'This is not valid JSON',
    notObject: 'The configuration must be a JSON object, such as {"region": "eu"}',
    submit: 'Trigger run',
    cancel: 'Cancel',
    paused: 'This DAG is paused: its schedule waits, but a run triggered here starts at once.',
    rejected: 'The service refused this configuration',
  },
  zh: {
    title: (dag: string) => `触发 ${dag}`,
    description: '以最新版本启动一次运行。',
    conf: '配置（JSON）',
    params: '参数',
    parameter: '名称',
    type: '类型',
    default: '默认值',
    required: '必填',
    invalidJson: '这不是有效的 JSON',
    notObject: '配置必须是 JSON 对象，例如 {"region": "eu"}',
    submit: '触发运行',
    cancel: '取消',
    paused: '此 DAG 已暂停：调度会等待，但在这里触发的运行会立即开始。',
    rejected: '服务拒绝了此配置',
  },
});
