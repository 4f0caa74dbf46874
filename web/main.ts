import { mount } from 'svelte';
import App from './App.svelte';
import './styles/main.css';

const target = document.querySelector('#app');
if (!target) throw new Error('index.html has no element #app to mount the page in');
mount(App, { target });
