import dgram from 'node:dgram'
import { once } from 'node:events'
import type { Forwarder, ProxyTarget } from './messages.js'

/** A client that has been silent for so long is forgotten; nf_conntrack forgets streams of UDP after two minutes. */
const IDLE_MS = 120_000
/** Beyond this many clients of a port the one that has been silent for longest is forgotten. */
const MOST_CLIENTS = 4096

interface Flow {
  socket: dgram.Socket
  idle: NodeJS.Timeout
}

/** Hands datagrams on, from a socket of its own for each client, so that answers find their way back. */
export async function forwardUdp(fd: number, { address, port }: ProxyTarget): Promise<Forwarder> {
  const flows = new Map<string, Flow>()
  const listener = dgram.createSocket(address.includes(':') ? 'udp4' : 'udp6')
  const forget = (client: string): void => {
    const flow = flows.get(client)
    if (flow === undefined) return
    flows.delete(client)
    clearTimeout(flow.idle)
    flow.socket.close()
  }
  const begin = (client: string, peer: dgram.RemoteInfo): Flow => {
    if (flows.size >= MOST_CLIENTS) forget(flows.keys().next().value!)
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.on('error', () => forget(client))
    socket.on('message', (data, from) => {
      if (from.address === address && from.port === port) listener.send(data, peer.port, peer.address)
    })
    const flow: Flow = { socket, idle: setTimeout(() => forget(client), IDLE_MS).unref() }
    flows.set(client, flow)
    return flow
  }
  listener.on('message', (data, peer) => {
    const client = `${peer.address} ${peer.port}`
    const flow = flows.get(client) ?? begin(client, peer)
    // The order of the map is that of silence.
    flows.delete(client)
    flows.set(client, flow)
    flow.idle.refresh()
    flow.socket.send(data, port, address, () => undefined)
  })
  const listening = once(listener, 'listening')
  listener.bind({ fd })
  await listening
  listener.on('error', () => undefined)
  return {
    async close() {
      for (const client of [...flows.keys()]) forget(client)
      await new Promise<void>((resolve) => listener.close(resolve))
    },
  }
}
