/** Worker thread that decompresses and checks uploads, so that neither stops the gateway from answering others. */
import { parentPort } from 'node:worker_threads'
import { type RefusalReason, type ResultDocument, ResultRefused, readDocument } from './document.ts'
import { unpack } from './unpack.ts'

export type WorkerReply =
  | {
      readonly ok: true
      readonly document: ResultDocument /** Characters after decompression. */
      readonly size: number
    }
  | { readonly ok: false; readonly reason: RefusalReason; readonly message: string; readonly size: number }

async function handle(body: Uint8Array): Promise<WorkerReply> {
  let size = 0
  try {
    const text = await unpack(body)
    size = text.length
    return { ok: true, document: readDocument(text), size }
  } catch (error) {
    if (error instanceof ResultRefused) return { ok: false, reason: error.reason, message: error.message, size }
    throw error
  }
}

parentPort?.on('message', async (body: Uint8Array) => parentPort?.postMessage(await handle(body)))
