/** One job: the files by which a client or a component finds and trusts the API server. */
import { writeFileSync } from 'node:fs'
import type { ClientIdentity, Pki } from './pki.ts'

export interface KubeconfigOptions {
  readonly path: string
  /** Name of its cluster, user and context. */
  readonly name: string
  readonly server: string
  readonly caPem: string
  readonly identity: ClientIdentity
}

/** Writes a kubeconfig that stands alone: certificates and key are inside. JSON is YAML too. */
export function writeKubeconfig(options: KubeconfigOptions): void {
  const { name } = options
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server: options.server, 'certificate-authority-data': base64(options.caPem) } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [
      {
        name,
        user: {
          'client-certificate-data': base64(options.identity.certificatePem),
          'client-key-data': base64(options.identity.keyPem),
        },
      },
    ],
  }
  writeFileSync(options.path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
}

/** Issues a client certificate for a component and writes its kubeconfig beside it. @returns the kubeconfig's path. */
export async function componentKubeconfig(
  pki: Pki,
  server: string,
  component: string,
  user: string,
  group?: string,
): Promise<string> {
  const path = pki.certificate(component).replace(/\.crt$/, '.kubeconfig')
  writeKubeconfig({
    path,
    name: component,
    server,
    caPem: pki.caPem,
    identity: await pki.client(component, user, group),
  })
  return path
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
