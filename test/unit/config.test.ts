import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigError, describeOptions, readControllerConfig, readGatewayConfig } from '../../operator/config.ts'

const required = {
  SCANFLEET_NAMESPACE: 'scanfleet',
  SCANFLEET_SCAN_NAMESPACE: 'scanfleet-scans',
  SCANFLEET_SCANNER_IMAGE: 'scanner:1',
  SCANFLEET_GATEWAY_SERVICE: 'scanfleet-gateway',
}

describe('configuration', () => {
  it('takes options from the environment and fills the rest with defaults', () => {
    const config = readControllerConfig([], required)
    assert.equal(config.scanNamespace, 'scanfleet-scans')
    assert.equal(config.maxConcurrentScans, 100)
    assert.deepEqual(config.watchNamespaces, [])
  })

  it('prefers a flag over the environment', () => {
    assert.equal(readControllerConfig(['--scan-namespace', 'other'], required).scanNamespace, 'other')
  })

  it('names every option that is missing, as flag and as variable', () => {
    assert.throws(
      () => readControllerConfig([], { ...required, SCANFLEET_SCANNER_IMAGE: '' }),
      (error) =>
        error instanceof ConfigError &&
        /--scanner-image \(or SCANFLEET_SCANNER_IMAGE\): is required/.test(error.message),
    )
  })

  it('refuses a flag that does not exist', () => {
    assert.throws(() => readGatewayConfig(['--prot', '1'], required), ConfigError)
  })

  it('refuses networks that are none', () => {
    assert.throws(
      () => readControllerConfig([], { ...required, SCANFLEET_ALLOWED_PRIVATE_NETWORKS: '10.0.0.0/8,example' }),
      /--allowed-private-networks .*networks such as 10\.0\.0\.0\/8/,
    )
  })

  it('describes every option in a sentence', () => {
    for (const process of ['controller', 'gateway'] as const) {
      for (const { flag, text } of describeOptions(process)) assert.match(text, /^[A-Z].*\.$/, flag)
    }
  })
})
