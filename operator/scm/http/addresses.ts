/**
 * Which network addresses the operator may talk to. Names are resolved once, every address is judged, and connections
 * go to a judged address only, so that neither DNS rebinding nor an address written in a URL leads into the cluster.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { promisify } from 'node:util'
import ipaddr from 'ipaddr.js'
import { ScmError } from '../types.ts'

export interface AddressRules {
  /** Networks such as 10.1.0.0/16 in which code hosts may lie although they are not public. */
  readonly allowedPrivateNetworks: readonly string[]
}

/** Resolves a name to all of its addresses. The system's resolver unless a test brings another. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

const resolveBySystem: Resolve = (host) => promisify(systemLookup)(host, { all: true, verbatim: true })

/** Whether the operator may connect to this literal address. Everything that is not plainly public needs permission. */
export function isAllowedAddress(address: string, rules: AddressRules): boolean {
  if (!ipaddr.isValid(address)) return false
  // An IPv4 address in IPv6 clothes is judged as what it is.
  const parsed = ipaddr.process(address)
  if (parsed.range() === 'unicast') return true
  return rules.allowedPrivateNetworks.some((network) => {
    const [base, bits] = ipaddr.parseCIDR(network)
    return base.kind() === parsed.kind() && parsed.match(base, bits)
  })
}

/**
 * The addresses of a host that may be used, sorted, without repetition. A host name or a literal address is taken.
 * Throws ScmError `HostNotFound` when the name does not resolve, `AddressRefused` when no address is allowed.
 */
export async function resolveAddresses(
  host: string,
  rules: AddressRules & { readonly resolve?: Resolve },
): Promise<readonly string[]> {
  const literal = host.replace(/^\[(.*)\]$/, '$1')
  const found = isIP(literal) ? [literal] : await resolveName(literal, rules.resolve ?? resolveBySystem)
  const allowed = found.filter((address) => isAllowedAddress(address, rules))
  if (allowed.length === 0) throw addressRefused(literal)
  return [...new Set(allowed)].sort()
}

/** A `lookup` for sockets that only ever answers with allowed addresses. */
export function checkedLookup(rules: AddressRules & { readonly resolve?: Resolve }): LookupFunction {
  return (host, options, callback) => {
    resolveAddresses(host, rules).then(
      (addresses) => {
        const family = options.family === 4 || options.family === 'IPv4' ? 4 : options.family ? 6 : 0
        const answers = addresses
          .map((address) => ({ address, family: isIP(address) }))
          .filter((answer) => family === 0 || answer.family === family)
        const [first] = answers
        if (!first) return callback(hostNotFound(host), [])
        if (options.all) return callback(null, answers)
        callback(null, first.address, first.family)
      },
      (error) => callback(error, []),
    )
  }
}

async function resolveName(host: string, resolve: Resolve): Promise<string[]> {
  try {
    return (await resolve(host)).map((answer) => answer.address)
  } catch (cause) {
    throw hostNotFound(host, cause)
  }
}

function hostNotFound(host: string, cause?: unknown): ScmError {
  return new ScmError('HostNotFound', `The name ${host} does not resolve. Check the address and the cluster's DNS.`, {
    cause,
  })
}

export function addressRefused(host: string): ScmError {
  return new ScmError(
    'AddressRefused',
    `${host} is not a public address. If the code host lies there, the cluster administrator has to list its network in allowedPrivateNetworks.`,
  )
}
