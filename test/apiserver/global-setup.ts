/** Starts the control plane once for the whole tier and ends it with the last test (node --test-global-setup). */
import { openControlPlane, stopControlPlane } from '../support/kubernetes.ts'

export async function globalSetup(): Promise<void> {
  const { close } = await openControlPlane()
  await close()
}

export async function globalTeardown(): Promise<void> {
  await stopControlPlane()
}
