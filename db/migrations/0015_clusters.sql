-- Clusters: where tasks run as Pods. How one is reached is sealed by db/vault.ts, as connections are.
create table cluster (
  name text primary key,
  kind text not null check (kind in ('in_cluster', 'kubeconfig', 'token')),
  description text,
  server text,                                 -- address of its API; null: that of the cluster this process runs in
  context text,                                -- of the kubeconfig
  insecure boolean not null default false,     -- its certificate is not checked
  sealed bytea,                                -- ClusterCredentials of sdk/clusters.ts
  namespaces text[] not null check (cardinality(namespaces) > 0), -- where tasks may run; the first when they name none
  service_url text,                            -- how Pods there reach the API; null: as everybody does
  runner_image text,                           -- for tasks that bring no image
  qps int not null default 50 check (qps > 0),
  burst int not null default 100 check (burst > 0),
  parallel_creates int not null default 16 check (parallel_creates > 0),
  max_pods int not null default 1000 check (max_pods >= 0),
  max_pods_per_namespace int check (max_pods_per_namespace >= 0), -- null: no limit but max_pods
  pod_security text not null default 'restricted' check (pod_security in ('restricted', 'baseline', 'privileged')),
  images text[] not null default '{}',         -- patterns of what tasks may run; none: any
  service_accounts text[] not null default '{}', -- that tasks may name; none: any
  pod_defaults jsonb,                          -- a partial Pod below what tasks say
  paused boolean not null default false,       -- no Pod is started
  managed boolean not null default false,      -- kept as the configuration says
  revision int not null default 1,             -- counts the changes of what is above
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  updated_by text not null,

  health text not null default 'unknown' check (health in ('ok', 'degraded', 'unreachable', 'unknown')),
  health_message text,
  health_since timestamptz(3) not null default now(),
  version text,                                -- of its API server
  missing_permissions text[] not null default '{}',
  checked_at timestamptz(3),
  constraint reached check (kind = 'in_cluster' or (sealed is not null and server is not null))
);
