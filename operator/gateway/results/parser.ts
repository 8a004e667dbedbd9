/**
 * Runs the checks of uploads in a few worker threads, each with a bound of time. A worker that passes it, or that dies,
 * is replaced, and its upload is refused; the others never notice.
 */
import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { type ResultDocument, ResultRefused } from './document.ts'
import type { WorkerReply } from './worker.ts'

export interface ResultParser {
  /** Takes the compressed body. Throws ResultRefused. */
  parse(body: Uint8Array): Promise<ResultDocument>
  stop(): Promise<void>
}

export interface ParserOptions {
  readonly workers: number
  readonly timeoutMs: number
  /** Heap of one worker; the second line behind the bounds that are checked before parsing. */
  readonly heapMegabytes: number
  /** A worker that parsed more than this is not used again. */
  readonly recycleBytes: number
  readonly workerUrl: URL
}

/** One worker: results are small and quick to check, and two of the largest at once would double the memory. */
export const parserDefaults: Omit<ParserOptions, 'workerUrl'> = {
  workers: 1,
  timeoutMs: 30_000,
  heapMegabytes: 384,
  recycleBytes: 1024 * 1024,
}

/** The worker's file: beside this one among the sources, `result-worker.mjs` beside the bundle in an image. */
export function resultWorkerUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './result-worker.mjs', import.meta.url)
}

/** Throws when the worker's file is not there: an image without it must not look healthy. */
export function createResultParser(options: ParserOptions): ResultParser {
  if (!existsSync(options.workerUrl)) throw new Error(`the worker that checks results is missing: ${options.workerUrl}`)
  const idle: Worker[] = []
  const waiting: ((worker: Worker) => void)[] = []
  let started = 0

  function start(): Worker {
    started += 1
    const worker = new Worker(options.workerUrl, { resourceLimits: { maxOldGenerationSizeMb: options.heapMegabytes } })
    // Without a listener an error between two uploads would end the process; `run` sees it through `exit`.
    worker.on('error', () => undefined)
    worker.unref()
    return worker
  }

  async function take(): Promise<Worker> {
    const worker = idle.pop()
    if (worker && isAlive(worker)) return worker
    if (worker) started -= 1
    if (started < options.workers) return start()
    return new Promise((resolve) => waiting.push(resolve))
  }

  function giveBack(worker: Worker): void {
    const next = waiting.shift()
    if (next) next(worker)
    else idle.push(worker)
  }

  /** Its memory is given back before another one takes as much. */
  async function replace(worker: Worker): Promise<void> {
    await worker.terminate()
    started -= 1
    const next = waiting.shift()
    if (next) next(start())
  }

  async function parse(body: Uint8Array): Promise<ResultDocument> {
    const worker = await take()
    const reply = await run(worker, body, options.timeoutMs)
    if (reply === undefined) {
      void replace(worker)
      throw new ResultRefused('TooSlow', 'Checking the result took more time or memory than is allowed.')
    }
    // What a large result left in the heap goes with its worker.
    if (reply.size > options.recycleBytes) void replace(worker)
    else giveBack(worker)
    if (reply.ok) return reply.document
    throw new ResultRefused(reply.reason, reply.message)
  }

  async function stop(): Promise<void> {
    await Promise.all(idle.splice(0).map((worker) => worker.terminate()))
  }

  return { parse, stop }
}

function isAlive(worker: Worker): boolean {
  return worker.threadId !== -1
}

/** Undefined when the worker died or did not answer in time. */
function run(worker: Worker, body: Uint8Array, timeoutMs: number): Promise<WorkerReply | undefined> {
  return new Promise((resolve) => {
    const done = (reply: WorkerReply | undefined) => {
      clearTimeout(timer)
      worker.off('message', done)
      worker.off('exit', died)
      worker.unref()
      resolve(reply)
    }
    const died = () => done(undefined)
    const timer = setTimeout(died, timeoutMs)
    worker.ref()
    worker.once('message', done)
    worker.once('exit', died)
    worker.postMessage(body)
  })
}
