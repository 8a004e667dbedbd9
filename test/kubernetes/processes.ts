/**
 * One job: start programs that outlive this process, and stop exactly those again.
 * Invariant: a process is known by its id and its start time, so an id that the kernel gave to somebody else is never killed.
 */
import { execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { z } from 'zod'

export const processSchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  /** Clock ticks after boot, field 22 of /proc/PID/stat. */
  startTime: z.string(),
})
export type RecordedProcess = z.infer<typeof processSchema>

export interface StartOptions {
  readonly name: string
  readonly command: readonly string[]
  /** Receives standard output and error. */
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
}

const run = promisify(execFile)

/** Runs a program to its end. @returns its standard output. @throws with its standard error. */
export async function execute(command: readonly string[], input?: string): Promise<string> {
  const [file = '', ...args] = command
  const running = run(file, args, { maxBuffer: 64 * 1024 * 1024 })
  running.child.stdin?.on('error', () => undefined) // it may end without reading; its exit code says what happened
  running.child.stdin?.end(input)
  try {
    return (await running).stdout
  } catch (error) {
    const stderr = (error as { stderr?: string }).stderr?.trim()
    throw new Error(`${command.join(' ')}: ${stderr || (error as Error).message}`, { cause: error })
  }
}

/** Starts a program in its own session. The caller records what is returned before it does anything else. */
export function start(options: StartOptions): RecordedProcess {
  const [file = '', ...args] = options.command
  const log = openSync(options.logFile, 'a')
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...options.env },
    })
    child.on('error', () => undefined) // a program that cannot be started has no pid, which is reported below
    if (child.pid === undefined) throw new Error(`${options.name}: cannot start ${file}`)
    child.unref()
    return { name: options.name, pid: child.pid, startTime: startTimeOf(child.pid) ?? 'ended' }
  } finally {
    closeSync(log)
  }
}

export function ownProcess(name: string): RecordedProcess {
  return { name, pid: process.pid, startTime: startTimeOf(process.pid) ?? 'unknown' }
}

/** A process by its id, as it is now. */
export function recorded(name: string, pid: number): RecordedProcess {
  return { name, pid, startTime: startTimeOf(pid) ?? 'ended' }
}

/** False for an ended process, a zombie, and a process that merely got the same id. */
export function isAlive(process: RecordedProcess): boolean {
  return startTimeOf(process.pid) === process.startTime
}

/** Asks the processes to end, waits up to `graceMilliseconds`, then ends them; returns when all are gone. */
export async function stop(processes: readonly RecordedProcess[], graceMilliseconds: number): Promise<void> {
  const deadline = Date.now() + graceMilliseconds
  for (const process of processes) signal(process, graceMilliseconds > 0 ? 'SIGTERM' : 'SIGKILL')
  let killed = graceMilliseconds === 0
  while (processes.some(isAlive)) {
    if (!killed && Date.now() > deadline) {
      for (const process of processes) signal(process, 'SIGKILL')
      killed = true
    }
    await sleep(20)
  }
}

/** The process that `parent` started, as soon as there is one. */
export async function firstChild(name: string, parent: RecordedProcess): Promise<RecordedProcess> {
  while (isAlive(parent)) {
    const path = `/proc/${parent.pid}/task/${parent.pid}/children`
    const [child] = existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ') : []
    if (child) return recorded(name, Number(child))
    await sleep(5)
  }
  throw new Error(`${parent.name} ended before it started ${name}`)
}

/** The end of a log file, for error messages. */
export function logTail(logFile: string, lines = 15): string {
  return existsSync(logFile) ? readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : ''
}

function signal(target: RecordedProcess, name: NodeJS.Signals): void {
  if (!isAlive(target)) return
  try {
    process.kill(target.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in brackets and may contain anything; what follows its last bracket is plain fields.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
