/**
 * The memory that bodies may take together while they are read and checked. Each has a small part for itself, so that
 * ordinary results always find room; what large ones take beyond that comes from one common store.
 */

export interface ByteBudget {
  open(): ByteLease
}

export interface ByteLease {
  /** False when there is no room for that many more bytes. */
  take(bytes: number): boolean
  /** Gives back all that was taken. */
  release(): void
}

export function createByteBudget(limits: { readonly own: number; readonly common: number }): ByteBudget {
  let common = limits.common
  return {
    open() {
      let own = limits.own
      let borrowed = 0
      return {
        take(bytes) {
          const fromOwn = Math.min(own, bytes)
          const fromCommon = bytes - fromOwn
          if (fromCommon > common) return false
          own -= fromOwn
          common -= fromCommon
          borrowed += fromCommon
          return true
        },
        release() {
          common += borrowed
          borrowed = 0
        },
      }
    },
  }
}
