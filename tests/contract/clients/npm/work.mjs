// The everyday work of @clickhouse/client against the endpoint at CLICKHOUSE_URL: prints one object of what it got.
import { ClickHouseLogLevel, createClient } from "@clickhouse/client";

const url = process.env.CLICKHOUSE_URL;
const log = { level: ClickHouseLogLevel.OFF };
const analyst = createClient({ url, username: "analyst", password: process.env.ANALYST_PASSWORD, log });
const loader = createClient({ url, username: "loader", password: process.env.LOADER_PASSWORD, database: "firehose" });

async function rows(client, query, options = {}) {
  const result = await client.query({ query, format: "JSONEachRow", ...options });
  return result.json();
}

async function streamed(query) {
  const result = await analyst.query({ query, format: "JSONEachRow" });
  let count = 0;
  for await (const batch of result.stream()) count += batch.length;
  return count;
}

async function aborted() {
  const controller = new AbortController();
  const running = analyst.query({
    query: "SELECT sleepEachRow(0.1) FROM numbers(1000) SETTINGS max_block_size = 1, max_execution_time = 2",
    abort_signal: controller.signal,
  });
  setTimeout(() => controller.abort(), 100);
  return running.then(() => "answered", (error) => (error.message.includes("abort") ? "aborted" : String(error)));
}

async function temporary() {
  const session = createClient({ url, username: "analyst", password: process.env.ANALYST_PASSWORD, session_id: "js" });
  await session.command({ query: "CREATE TEMPORARY TABLE mine (id UInt64, note String)" });
  await session.insert({ table: "mine", values: [{ id: 1, note: "a" }, { id: 2, note: "b" }], format: "JSONEachRow" });
  const found = await rows(session, "SELECT id, note, name FROM mine JOIN posts USING id ORDER BY id");
  await session.close();
  return found;
}

const got = {
  ping: (await analyst.ping()).success,
  json: (await (await analyst.query({ query: "SELECT count() AS n FROM posts" })).json()).data,
  parameters: await rows(analyst, "SELECT name FROM posts WHERE id IN {ids:Array(UInt64)} AND name != {not:String}", {
    query_params: { ids: [1, 2], not: "o'1" },
    clickhouse_settings: { max_threads: 1 },
  }),
  streamed: await streamed("SELECT number FROM numbers(200000)"),
  compressed: await (async () => {
    const client = createClient({
      url, username: "analyst", password: process.env.ANALYST_PASSWORD, compression: { response: true, request: true },
    });
    const found = await rows(client, "SELECT count() AS n FROM posts");
    await client.close();
    return found;
  })(),
  aborted: await aborted(),
  temporary: await temporary(),
  error: await rows(analyst, "SELECT nope").catch((error) => ({ code: error.code, type: error.type })),
};

await loader.command({ query: "CREATE TABLE made (id UInt64, note String) ENGINE = MergeTree ORDER BY id" });
await loader.insert({ table: "made", values: [{ id: 1, note: "x" }], format: "JSONEachRow" });
await loader.insert({ table: "made", values: [[2, "y"]], columns: ["id", "note"], format: "JSONCompactEachRow" });
got.inserted = await rows(loader, "SELECT * FROM made ORDER BY id");
const executed = await loader.exec({ query: "SELECT 42 FORMAT TabSeparated" });
got.exec = "";
for await (const piece of executed.stream) got.exec += piece;
await loader.command({ query: "DROP TABLE made" });
await Promise.all([analyst.close(), loader.close()]);
console.log(JSON.stringify(got));
