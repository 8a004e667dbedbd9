/** One job: tell a person line by line what happens and how long it took. Prints, and knows nothing else. */

export interface Progress {
  /** A line within the step that runs. */
  readonly note: (line: string) => void
  /** Runs one step and prints its title with the seconds that it took. `work` may return words for the end of that line. */
  readonly step: <T>(title: string, work: () => Promise<T>, ending?: (result: T) => string) => Promise<T>
  /** A line of its own, as it is. */
  readonly print: (text: string) => void
}

export function createProgress(write: (text: string) => void, now: () => number = Date.now): Progress {
  const seconds = (since: number) => `${((now() - since) / 1000).toFixed(1)} s`
  return {
    note: (line) => write(`    ${line}\n`),
    print: (text) => write(`${text}\n`),
    async step(title, work, ending) {
      const started = now()
      try {
        const result = await work()
        const words = ending?.(result)
        write(`✔ ${title.padEnd(30)} ${seconds(started).padStart(8)}${words ? `  ${words}` : ''}\n`)
        return result
      } catch (error) {
        write(`✖ ${title.padEnd(30)} ${seconds(started).padStart(8)}\n`)
        throw error
      }
    },
  }
}
