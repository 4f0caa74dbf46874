-- Variables and connections. What is secret is sealed by db/vault.ts: a data key of the row's own, wrapped by a master key that
-- never comes here. The database alone therefore gives no secret away.
create table variable (
  key text primary key,
  value text,                                  -- null: it is secret
  sealed bytea,                                -- the value of a secret one
  description text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  updated_by text not null,
  constraint open_or_sealed check ((value is null) <> (sealed is null))
);

create table connection (
  id text primary key,
  kind text not null,                          -- of CONNECTION_KINDS in sdk/connections.ts
  description text,
  host text, port int, schema text, login text,
  extra jsonb not null default '{}',           -- settings that anybody may see
  sealed bytea,                                -- {"password": …, "extra": {…}}
  has_password boolean not null default false,
  secret_keys text[] not null default '{}',    -- names of the settings in "sealed"
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  updated_by text not null
);
