import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { createSupervisorClient } from './server/runner/supervisor-client.ts';
import { makeDispatch, tsBundle } from './test/helpers/runner.ts';
const home = mkdtempSync(join(tmpdir(), 'rb-'));
const hash = 'b'; mkdirSync(join(home,'bundles',hash),{recursive:true});
for (const [k,v] of Object.entries(tsBundle({ a: '() => 1' }))) writeFileSync(join(home,'bundles',hash,k), v);
writeFileSync(join(home,'bundles',hash,'t.py'),'def f(): return 1\n');
const waiters = new Map<string,(r:any)=>void>();
const client = createSupervisorClient({ home, fetchBundleDir: async (h) => join(home,'bundles',h), environment: { PATH: `/usr/local/bin:/usr/bin:/bin` , HOME: home }, onEvent: (e) => { if (e.type==='finished') { waiters.get(e.report.dispatchId)?.(e.report); waiters.delete(e.report.dispatchId);} else if (e.type==='supervisor_lost') console.log(e) } });
const run = (task:any) => new Promise<any>((ok) => { const d = makeDispatch(task,{bundleHash:hash}); waiters.set(d.dispatchId, ok); client.start(d); });
async function bench(name: string, task: any, n: number, total: number, width: number) {
  for (let i=0;i<5;i++) { const r = await run(task); if (r.outcome!=='success') console.log(r); }
  const l:number[]=[]; for (let i=0;i<n;i++){ const t=performance.now(); await run(task); l.push(performance.now()-t);} l.sort((a,b)=>a-b);
  const t=performance.now(); let left=total; await Promise.all(Array.from({length:width}, async()=>{ while(left-->0) await run(task); }));
  const dt=performance.now()-t; console.log(name,'p50',l[n>>1]!.toFixed(2),'p99',l[Math.floor(n*0.99)]!.toFixed(2),'ms; throughput',Math.round(total/dt*1000),'/s width',width);
}
await bench('typescript',{kind:'typescript',taskId:'a'},500,30000,200);
await bench('typescript',{kind:'typescript',taskId:'a'},500,30000,32);
await bench('typescript',{kind:'typescript',taskId:'a'},500,30000,1000);
await bench('python',{kind:'python',callable:'t.py:f'},200,1000,8);
await bench('bash',{kind:'bash',command:'true'},200,1000,8);
await client.stop(); 
