/** Installs the product on a node once for the whole tier, and removes both with the last test (node --test-global-setup). */
import { installProduct, removeProduct } from '../support/product.ts'

export async function globalSetup(): Promise<void> {
  await installProduct((line) => process.stdout.write(`${line}\n`))
}

export async function globalTeardown(): Promise<void> {
  await removeProduct()
}
