/**
 * One job: addresses and ports of a cluster that nothing else on this machine uses.
 * Invariant: a native node owns the block 10.N.0.0/16 and the link `scanfleetN`; whoever made the link has the block.
 */
import { createServer } from 'node:net'
import { execute } from './processes.ts'

export interface Addresses {
  /** Where the API server and the kubelet listen. */
  readonly listen: string
  /** Address of this machine that pods can reach. */
  readonly nodeAddress: string
  readonly podCidr: string
  readonly serviceCidr: string
  /** The API server's own service, the first address of `serviceCidr`. */
  readonly serviceAddress: string
  readonly ports: { readonly apiServer: number; readonly etcd: number; readonly etcdPeer: number }
}

/** The blocks 10.N.0.0/16 that clusters may use: away from the ranges that people and tools like best. */
const blocks = { first: 160, last: 223 }

/** A control plane without nodes stays on the loopback device; its pods and services exist on paper only. */
export async function loopbackAddresses(): Promise<Addresses> {
  const [apiServer, etcd, etcdPeer] = await freePorts()
  const paper = { podCidr: '10.159.128.0/17', serviceCidr: '10.159.64.0/18', serviceAddress: '10.159.64.1' }
  return { listen: '127.0.0.1', nodeAddress: '127.0.0.1', ...paper, ports: { apiServer, etcd, etcdPeer } }
}

/** Inside its own network namespace a node can use the ports that everybody knows. */
export function blockAddresses(block: number): Addresses {
  return {
    listen: `10.${block}.0.2`,
    nodeAddress: `10.${block}.0.1`,
    podCidr: `10.${block}.128.0/17`,
    serviceCidr: `10.${block}.64.0/18`,
    serviceAddress: `10.${block}.64.1`,
    ports: { apiServer: 6443, etcd: 2379, etcdPeer: 2380 },
  }
}

export function linkName(block: number): string {
  return `scanfleet${block}`
}

/** Makes the link of a block that no route of this machine touches. @returns the block's number. */
export async function claimBlock(): Promise<number> {
  const routes = await execute(['ip', '-4', 'route', 'show', 'table', 'all'])
  for (let block = blocks.first; block <= blocks.last; block++) {
    if (routes.includes(` 10.${block}.`) || routes.includes(`\n10.${block}.`) || routes.startsWith(`10.${block}.`))
      continue
    try {
      await execute(['ip', 'link', 'add', linkName(block), 'type', 'veth', 'peer', 'name', `${linkName(block)}n`])
      return block
    } catch (error) {
      if (!/File exists/.test((error as Error).message)) throw error
    }
  }
  throw new Error(
    `No free address block between 10.${blocks.first}.0.0/16 and 10.${blocks.last}.0.0/16: take some cluster down`,
  )
}

/** Three ports below the range from which the kernel takes ports for outgoing connections. */
async function freePorts(): Promise<[number, number, number]> {
  const ports = new Set<number>()
  while (ports.size < 3) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports] as [number, number, number]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
