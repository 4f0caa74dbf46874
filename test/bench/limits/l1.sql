\set id random(1, 9000000000000000)
insert into task (id, state) values (:id, 0);
update task set state = 1, queued_at = now() where id = :id;
update task set state = 2, started_at = now() where id = :id;
update task set state = 3, ended_at = now() where id = :id;
