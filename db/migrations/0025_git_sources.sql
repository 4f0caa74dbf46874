-- Git repositories that DAGs are deployed from. Credentials and the webhook's secret are sealed by db/vault.ts, as those of clusters are.
create table git_source (
  name text primary key,
  description text,
  url text not null,
  ref text,                                    -- branch or tag; null: the default branch of the repository
  folder text not null default '',             -- where the DAG files are; '': the whole repository
  access text not null default 'none' check (access in ('none', 'password', 'ssh')),
  username text,
  sealed bytea,                                -- GitCredentials of sdk/git-sources.ts
  webhook_sealed bytea,
  interval_seconds int not null default 60 check (interval_seconds > 0),
  trusted boolean not null default false,      -- its DAGs may ask of clusters what an administrator's may
  paused boolean not null default false,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  updated_by text not null,

  due_at timestamptz not null default now(),   -- of the next look
  asked_at timestamptz,                        -- somebody asked for a look
  reload boolean not null default true,        -- the next look loads all files, also of a commit that is known
  lease uuid,                                  -- of the scheduler that looks now
  lease_until timestamptz,
  look_began_at timestamptz(3),

  state text not null default 'unknown' check (state in ('ok', 'failed', 'unknown')),
  message text,                                -- why the last look failed
  since timestamptz(3) not null default now(),
  looked_at timestamptz(3),
  duration_ms int,                             -- of the last look that loaded files
  commit_sha text, commit_author text, commit_message text, commit_at timestamptz(3), -- deployed last
  deployed_at timestamptz(3),
  files int, failed_files int,                 -- of that commit
  constraint sealed_access check ((access = 'none') = (sealed is null)),
  constraint leased check ((lease is null) = (lease_until is null))
);

-- Where the first deployment of a version came from; null: not from Git.
alter table dag_version
  add column git_source text,
  add column commit_sha text, add column commit_author text, add column commit_message text, add column commit_at timestamptz(3);
