/** A reporter of node:test that writes only how many tests passed and failed. Cancelled and skipped ones count as failed: nothing is left out. */
interface TestEvent {
  readonly type: string
  readonly data: { readonly file?: string; readonly counts?: Readonly<Record<string, number>> }
}

// node:test takes a reporter as a default export.
// biome-ignore lint/style/noDefaultExport: the runner asks for it
export default async function* summary(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== 'test:summary' || event.data.file !== undefined || !event.data.counts) continue
    const { passed = 0, tests = 0 } = event.data.counts
    yield JSON.stringify({ passed, failed: tests - passed })
  }
}
