/** One job: what the tests of this folder share. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, toolPath } from './cluster.ts'

/** Runs kubectl against a cluster, with objects on standard input when given. @returns its output. @throws with its error. */
export async function kubectl(cluster: Cluster, args: readonly string[], objects?: readonly object[]): Promise<string> {
  const tool = await toolPath('kubectl')
  return await new Promise((resolve, reject) => {
    const child = execFile(tool, ['--kubeconfig', cluster.kubeconfig, ...args], (error, stdout, stderr) =>
      error ? reject(new Error(`kubectl ${args.join(' ')}: ${stderr}`, { cause: error })) : resolve(stdout),
    )
    child.stdin?.end(
      objects === undefined ? undefined : JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    )
  })
}

/** Asks until the answer satisfies `accept`. @throws with the last answer after `seconds`. */
export async function eventually<T>(ask: () => Promise<T>, accept: (answer: T) => boolean, seconds = 120): Promise<T> {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (accept(answer)) return answer
    if (Date.now() > deadline)
      throw new Error(`Waited ${seconds} s in vain; the last answer was ${JSON.stringify(answer)}`)
    await sleep(200)
  }
}

/** Ids of all processes whose command line mentions `text`. */
export function processesThatMention(text: string): readonly number[] {
  const pids = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
  return pids.filter((pid) => pid !== process.pid && commandLine(pid).includes(text))
}

/** Everything in a folder, for comparisons; nothing when there is no such folder. */
export function listing(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return '' // it ended while we were looking
  }
}
