/** One job: find the address under which the pods of an existing cluster reach this machine. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'
import { type Access, kubectl } from './kubectl.ts'
import type { Target } from './settings.ts'

/** @throws a sentence when it has to be told by SCANFLEET_ADDRESS. */
export async function addressTowards(access: Access, target: Target): Promise<string> {
  if (target.kind === 'Context' && target.address) {
    if (isIP(target.address) !== 0) return target.address
    throw new Error(`SCANFLEET_ADDRESS is ${target.address}, which is no address.`)
  }
  const path = 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'
  const [node = ''] = (await kubectl(access, ['get', 'nodes', '-o', path])).split(' ')
  const address = isIP(node) === 0 ? undefined : await localAddressTowards(node)
  if (address) return address
  throw new Error(
    `Under which address the pods of ${access.context} reach this machine is not known: set SCANFLEET_ADDRESS, ` +
      'or scan the real GitHub with GITHUB_ORG and GITHUB_TOKEN.',
  )
}

/** The address that this machine would send from; nothing is sent. */
async function localAddressTowards(node: string): Promise<string | undefined> {
  const socket = createSocket(isIP(node) === 6 ? 'udp6' : 'udp4')
  try {
    socket.connect(9, node)
    await once(socket, 'connect')
    const { address } = socket.address()
    return address === node || address.startsWith('127.') || address === '::1' ? undefined : address
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}
