import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';

/** The SQL that would turn the database behind `url` into what schema.prisma says; empty when they agree. */
export async function schemaDrift(url: string): Promise<string> {
  await loadEngine();
  const schemaFile = join(import.meta.dirname, '..', 'prisma', 'schema.prisma');
  const files = [{ path: schemaFile, content: await readFile(schemaFile, 'utf8') }];
  const engine = await engineModule.SchemaEngine.new(
    { datamodels: [[schemaFile, files[0]?.content ?? '']] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(catalogReader(url)),
  );
  const result = await engine.diff({
    from: { tag: 'schemaDatasource', files, configDir: dirname(schemaFile) },
    to: { tag: 'schemaDatamodel', files },
    script: true,
    exitCode: true,
    filters: { externalTables: [], externalEnums: [] },
  });
  if (result.exitCode !== 0 && result.exitCode !== 2) throw new Error(`the schema engine answered with exit code ${result.exitCode}`);
  return result.exitCode === 0 ? '' : (result.stdout ?? '');
}

/** Of Node, whose types leave it out. */
const wasm = (
  globalThis as unknown as {
    WebAssembly: { instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: { __wbindgen_start(): void } } }> };
  }
).WebAssembly;

let loaded: Promise<void> | undefined;

/** Prisma's own schema engine as WebAssembly: the same that its command line would download as a binary. */
function loadEngine(): Promise<void> {
  loaded ??= (async () => {
    const dir = dirname(fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm')));
    const bytes = await readFile(join(dir, 'schema_engine_bg.wasm'));
    const { instance } = await wasm.instantiate(bytes, { './schema_engine_bg.js': engineModule });
    (engineModule as unknown as { __wbg_set_wasm(exports: unknown): void }).__wbg_set_wasm(instance.exports);
    instance.exports.__wbindgen_start();
  })();
  return loaded;
}

/** The driver adapter, able to read the catalogue: its type "char" (OID 18) has no mapping there, so such columns are read as text. */
function catalogReader(url: string): PrismaPg {
  const factory = new PrismaPg({ connectionString: url, max: 1 });
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    const reader = adapter as unknown as {
      performIO(query: unknown): Promise<{ fields: { dataTypeID: number }[] }>;
      queryRaw(query: unknown): Promise<{ columnTypes: number[] }>;
    };
    const { performIO, queryRaw } = reader;
    reader.queryRaw = async (query) => {
      const answer = await performIO.call(reader, query);
      const chars = answer.fields.flatMap((field, i) => (field.dataTypeID === 18 ? [i] : []));
      for (const field of answer.fields) if (field.dataTypeID === 18) field.dataTypeID = 25;
      const result = await queryRaw.call(Object.create(reader, { performIO: { value: async () => answer } }), query);
      for (const i of chars) result.columnTypes[i] = ColumnTypeEnum.Character;
      return result;
    };
    return adapter;
  };
  return factory;
}
