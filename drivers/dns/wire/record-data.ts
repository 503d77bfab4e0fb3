import packet from 'dns-packet'
import { toText, type WireName } from './names.js'

/** Data of the records that are made while answering. They are rare: the codec of dns-packet does. */
const LENGTH = 2

export function srvData(target: WireName, { port, priority, weight }: { port: number; priority?: number; weight?: number }): Buffer {
  return packet.srv.encode({ port, priority, weight, target: toText(target) }).subarray(LENGTH)
}

export function ptrData(name: WireName): Buffer {
  return packet.ptr.encode(toText(name)).subarray(LENGTH)
}

export function hinfoData(cpu: string, os: string): Buffer {
  return packet.hinfo.encode({ cpu, os }).subarray(LENGTH)
}
