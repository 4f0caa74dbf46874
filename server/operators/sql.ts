import type { Json } from '#sdk/protocol.ts';
import { connectionOf } from './connection-of.ts';
import type { Prepare } from './launch.ts';
import { renderAll } from './render-all.ts';

/** Kinds of connection that there is a driver for. */
export const SQL_CONNECTION_KINDS = ['postgres', 'postgresql'];

export const prepareSql: Prepare<'sql'> = (task, dispatch, render) => {
  const { load, unload } = task;
  return {
    how: 'operator',
    operator: {
      kind: 'sql',
      connection: connectionOf(dispatch, task.connection, SQL_CONNECTION_KINDS),
      applicationName: `millrace ${dispatch.dagId}.${dispatch.taskId}`.slice(0, 63),
      sql: task.sql.map((text, index) => render(`sql[${index}]`, text)),
      file: task.file === null ? null : render('file', task.file),
      parameters: renderAll(render, 'parameters', task.parameters) as typeof task.parameters & Json,
      autocommit: task.autocommit,
      result: task.result,
      maxRows: task.maxRows,
      load: load && {
        ...load,
        file: load.file === null ? null : render('load.file', load.file),
        table: render('load.table', load.table),
      },
      unload: unload && { ...unload, path: render('unload.path', unload.path) },
      executionTimeout: task.executionTimeout,
    },
  };
};
