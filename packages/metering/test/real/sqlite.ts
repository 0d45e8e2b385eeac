import { type WasmImports, type WasmInstance, wasm } from '../../src/webassembly.ts';
import { begin } from './begin.ts';
import type { Workload } from './workload.ts';

const query = 'select b, count(*), sum(c), max(a) from t where a % 3 = 1 and b like "%9%" group by b order by 3 desc';

/** `sql.js`. */
export type SqliteGlue = (options: object) => Promise<{ Database: new () => { run(sql: string, values?: unknown[]): void; exec(sql: string): unknown } }>;

/** C: a database. The glue keeps one instance, so that another start needs another copy of the glue. */
export const createSqlite = (glue: SqliteGlue): Workload => ({
  async start(module) {
    let started: WasmInstance | undefined;
    const { Database } = await glue({
      instantiateWasm(imports: WasmImports, done: (instance: WasmInstance) => void) {
        const instance = new wasm.Instance(module, imports);
        begin(instance);
        started = instance;
        done(instance);
        return instance.exports;
      },
    });
    const database = new Database();
    database.run('create table t(a int, b text, c real)');
    database.run('begin');
    for (let i = 0; i < 1500; i++) database.run('insert into t values(?,?,?)', [(i * 7919) % 3001, `name${i % 97}`, i / 3]);
    database.run('commit');
    return { instance: started as WasmInstance, run: () => JSON.stringify(database.exec(query)) };
  },
});
