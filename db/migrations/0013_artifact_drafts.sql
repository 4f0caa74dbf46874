-- Uploads under way, and those that were interrupted: few among many pieces.
create index artifact_draft on artifact (hash) where hash like 'draft %';
