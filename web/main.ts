import { mount } from 'svelte';
import App from './App.svelte';
import { openRouter } from './router.ts';
import { routes } from './routes.ts';
import './styles/main.css';

const target = document.querySelector('#app');
if (!target) throw new Error('index.html has no element #app to mount the page in');
openRouter(routes);
mount(App, { target });
