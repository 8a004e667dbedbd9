/**
 * One job: let one process at a time do something on this machine.
 * Invariant: a lock whose owner is gone (crash, kill -9, reboot) is taken over; a living owner is never robbed.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, ownProcess, processSchema } from './processes.ts'

export interface LockOptions {
  /** Called once when somebody else holds the lock. */
  readonly onWait?: () => void
}

/** Runs `work` while holding the lock at `path`; waits as long as a living process holds it. */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  mkdirSync(dirname(path), { recursive: true })
  let waiting = false
  while (!claim(path)) {
    if (!waiting) options.onWait?.()
    waiting = true
    await sleep(100)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

/** A link appears with its content in one step, so nobody ever reads a half-written owner. */
function claim(path: string): boolean {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  writeFileSync(draft, JSON.stringify(ownProcess('lock')))
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if (!ownerLives(path)) discard(path, `${draft}.dead`)
    return false
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Moves a dead owner's lock away. Somebody quicker may have replaced it by their own meanwhile; that one goes back. */
function discard(path: string, grave: string): void {
  try {
    renameSync(path, grave)
    if (ownerLives(grave)) linkSync(grave, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  } finally {
    rmSync(grave, { force: true })
  }
}

function ownerLives(path: string): boolean {
  try {
    return isAlive(processSchema.parse(JSON.parse(readFileSync(path, 'utf8'))))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
