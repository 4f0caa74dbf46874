import { table } from './table.svelte.ts';

/** Signing in. */
export const signInText = table({
  en: {
    title: 'Sign in to Millrace',
    name: 'User name',
    password: 'Password',
    submit: 'Sign in',
    submitting: 'Signing in…',
    hint: 'Started it yourself? The terminal shows a one-time sign-in link.',
    failed: 'Sign-in failed',
  },
  zh: {
    title: '登录 Millrace',
    name: '用户名',
    password: '密码',
    submit: '登录',
    submitting: '正在登录…',
    hint: '是您自己启动的吗？终端会显示一次性登录链接。',
    failed: '登录失败',
  },
});
