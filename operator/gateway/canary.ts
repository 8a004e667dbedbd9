/**
 * The fence canary: a TCP port that every scan pod must find closed. It accepts and hangs up, so that a pod which reaches
 * it knows that no policy holds it back; it reads and says nothing.
 */
import { type AddressInfo, createServer } from 'node:net'

export interface Canary {
  readonly port: number
  stop(): Promise<void>
}

export async function startCanary(port: number): Promise<Canary> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
