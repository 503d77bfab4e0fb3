import type { ReadyReport, StopMessage } from '../../src/kernel/index.js'

/** What is told to the thread that has the sockets. */
export type PacketMessage =
  /** Sockets on an interface; answered by `done`. */
  | { do: 'open'; ticket: number; session: number; namespace: string; link: string }
  /** An IPv4 packet to a MAC. */
  | { do: 'send'; session: number; packet: Uint8Array; to: Uint8Array }
  | { do: 'close'; session: number }
  /** Whether an address is one of the namespace's own; answered by `done`. */
  | { do: 'has-address'; ticket: number; namespace: string; address: string }
  | StopMessage

export type PacketReport =
  | ReadyReport
  | { is: 'done'; ticket: number; value: boolean }
  | { is: 'failed'; ticket: number; message: string }
  /** An IPv4 packet that came for a DHCP client, and the MAC that it came from. */
  | { is: 'packet'; session: number; packet: Uint8Array; from: Uint8Array }
  | { is: 'fault'; message: string }
