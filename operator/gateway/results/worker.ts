/** Worker thread that decompresses and checks uploads, so that neither stops the gateway from answering others. */
import { parentPort } from 'node:worker_threads'
import { gunzipSync } from 'node:zlib'
import { resultLimits } from '../../scan/contract/result.ts'
import { type RefusalReason, type ResultDocument, ResultRefused, readDocument } from './document.ts'

export type WorkerReply =
  | { readonly ok: true; readonly document: ResultDocument }
  | { readonly ok: false; readonly reason: RefusalReason; readonly message: string }

function handle(body: Uint8Array): WorkerReply {
  try {
    return { ok: true, document: readDocument(unpack(body)) }
  } catch (error) {
    if (error instanceof ResultRefused) return { ok: false, reason: error.reason, message: error.message }
    throw error
  }
}

/** zlib counts what it writes and stops at the limit, so a bomb costs no more than an honest result. */
function unpack(body: Uint8Array): Uint8Array {
  try {
    return gunzipSync(body, { maxOutputLength: resultLimits.bytes })
  } catch (cause) {
    if (cause instanceof RangeError || (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ResultRefused('TooLarge', 'The decompressed result is larger than is accepted.', { cause })
    }
    throw new ResultRefused('NotGzip', 'The result is not gzip; it may be truncated.', { cause })
  }
}

parentPort?.on('message', (body: Uint8Array) => parentPort?.postMessage(handle(body)))
