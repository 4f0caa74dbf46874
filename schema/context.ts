/** What a resolver may use. The server fills it for each operation, and anew for each event of a subscription. */
import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { ApiTokenRole, ApiTokenRow } from '#db/queries/api-tokens.ts';
import type { GitPolicy } from '#sdk/git-policy.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import type { Vault } from '#db/vault.ts';
import type { ClusterStatus } from './cluster-status.ts';
import type { Doctor } from './doctor.ts';
import type { EventStreams } from './event-streams.ts';
import type { LogReader } from './log-reader.ts';

export const ROLES = ['viewer', 'editor', 'admin', 'worker', 'runner'] as const;
export type Role = (typeof ROLES)[number];

/** Who asks, by the one credential of the request. */
export interface Viewer {
  name: string;
  role: Role;
  /** The one dispatch that a runner's token speaks for. */
  dispatchId: string | null;
  /** What is looked at again when access changes. */
  credential:
    { kind: 'session'; tokenHash: string } | { kind: 'token'; id: number; tokenHash: string } | { kind: 'runner' };
  expiresAt: Date;
}

/** The part of the engine that the API drives. */
export type ApiEngine = Pick<
  Engine,
  | 'createRuns'
  | 'registerWorker'
  | 'claim'
  | 'report'
  | 'heartbeat'
  | 'cancelRun'
  | 'editTasks'
  | 'wakeGates'
  | 'queuesChanged'
  | 'versions'
  | 'redispatch'
>;

/** What the Pod of a task shows. */
export interface PodTokenRequest {
  dispatchId: string;
  cluster: string;
  token: string;
}
/** `unavailable`: the cluster could not be asked. */
export type PodTokenResult = Dispatch | 'refused' | 'throttled' | 'unavailable';

export interface Access {
  /** Null: wrong name or password, said in one way only. `throttled`: too many attempts. */
  login(name: string, password: string): Promise<Viewer | null | 'throttled'>;
  logout(): Promise<void>;
  createApiToken(token: {
    name: string;
    role: ApiTokenRole;
    expiresInDays: number;
  }): Promise<{ token: string; row: ApiTokenRow }>;
  /** A bearer token for one dispatch alone. */
  runnerToken(dispatchId: string, seconds: number): string;
  /** The dispatch that the Pod with this token of a service account is for. */
  exchangePodToken(request: PodTokenRequest): Promise<PodTokenResult>;
}

export interface Context {
  db: Db;
  /** For the hot statements. */
  pool: pg.Pool;
  engine: ApiEngine;
  /** Null: not signed in. */
  viewer: Viewer | null;
  events: EventStreams;
  logs: LogReader;
  access: Access;
  /** Asks clusters themselves. */
  clusters: ClusterStatus;
  /** Which Git repositories may be read. */
  gitPolicy: GitPolicy;
  /** Seals secrets; nothing here ever opens one to show it. */
  vault: Vault;
  /** The content hash of an archive of DAG code, made anew from what is in it; an error when it is no such archive. */
  hashBundle(archive: Buffer): Promise<string>;
  version: string;
  doctor: Doctor;
}

/** Who did it, for events and history. Every field that calls this asks for a role first. */
export function actorOf(ctx: Context): string {
  if (!ctx.viewer) throw new Error('An anonymous caller reached a field that records who acted.');
  return ctx.viewer.name;
}
