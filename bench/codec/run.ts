// Netlink messages by libcnm's own codec and by the netlink package, side by side: making a veth pair, and reading the
// dump of a thousand links. In a namespace of its own: unshare -n ./node_modules/.bin/tsx bench/codec/run.ts
import { createRequire } from 'node:module'
import { messages } from '../../src/kernel/netlink/reader.js'
import { NetlinkSocket } from '../../src/kernel/netlink/socket.js'
import { MessageWriter, NLM_F_ACK } from '../../src/kernel/netlink/writer.js'
import { parseLink } from '../../src/kernel/rtnetlink/link/parse.js'

const RTM_NEWLINK = 16
const RTM_GETLINK = 18
const CREATE = 0x604
const LINKS = 1000
const ROUNDS = 40

const require = createRequire(import.meta.url)
const importing = performance.now()
const { rt, ifla } = require('netlink') as typeof import('netlink')
console.log(`import of netlink: ${(performance.now() - importing).toFixed(1)} ms`)
const { AttrStream, formatMessage } = require('netlink/dist/structs.js') as typeof import('netlink/dist/structs.js')

/** IFLA_IFNAME, MTU, TXQLEN, ADDRESS; LINKINFO with kind and the peer's name and namespace. */
function ownVeth(writer: MessageWriter, name: string, peer: string, flags = CREATE): void {
  writer.begin(RTM_NEWLINK, flags).u32(0).i32(0).u32(1).u32(1)
  writer
    .attrString(3, name)
    .attrU32(4, 1400)
    .attrU32(13, 1000)
    .attrBytes(1, Uint8Array.of(2, 0, 0, 0, 0, 1))
  writer.nest(18, () => {
    writer.attrString(1, 'veth')
    writer.nest(2, () => {
      writer.nest(1, () => writer.u32(0).i32(0).u32(0).u32(0).attrString(3, peer))
    })
  })
  writer.end()
}

function theirVeth(name: string, peer: string): Uint8Array[] {
  const inner = new AttrStream()
  rt.formatLinkMessage({ kind: 'link', data: {}, attrs: { ifname: peer } }, inner)
  const data = new AttrStream()
  data.push(1, inner.bufs)
  const linkinfo = ifla.formatInfo({ kind: 'veth', data: Buffer.concat(data.bufs) })
  const outer = new AttrStream()
  // The types of the package ask for every flag and attribute.
  type Link = Parameters<typeof rt.formatLinkMessage>[0]
  const up = { up: true } as Link['data']['flags']
  const attrs = { ifname: name, mtu: 1400, txqlen: 1000, address: Buffer.of(2, 0, 0, 0, 0, 1), linkinfo } as unknown as Link['attrs']
  rt.formatLinkMessage({ kind: 'link', data: { flags: up, change: up }, attrs }, outer)
  return formatMessage({ type: RTM_NEWLINK, flags: CREATE, seq: 1, port: 0, data: outer.bufs })
}

function median(name: string, body: () => void): void {
  for (let i = 0; i < 5; i++) body()
  const times = Array.from({ length: ROUNDS }, () => {
    const begin = performance.now()
    body()
    return performance.now() - begin
  })
  times.sort((a, b) => a - b)
  console.log(`${name}: ${times[ROUNDS >> 1]!.toFixed(2)} ms`)
}

function dumpOfLinks(): Uint8Array[] {
  const socket = new NetlinkSocket(0)
  for (let i = 0; i < LINKS / 2; i++) {
    const writer = socket.writer()
    ownVeth(writer, `v${i}`, `w${i}`, CREATE | NLM_F_ACK)
    socket.exchange(writer)
  }
  const found = socket.dump(
    RTM_GETLINK,
    (writer) => writer.u32(0).u32(0).u32(0).u32(0),
    ({ payload }) => Buffer.from(payload),
  )
  socket.close()
  return found
}

median(`own codec, ${LINKS} veth pairs written`, () => {
  const writer = new MessageWriter(1)
  for (let i = 0; i < LINKS; i++) ownVeth(writer, 'veth0', 'eth0')
})
median(`netlink package, ${LINKS} veth pairs written`, () => {
  for (let i = 0; i < LINKS; i++) theirVeth('veth0', 'eth0')
})
const dump = dumpOfLinks()
const [written] = [...messages(Buffer.concat(theirVeth('veth0', 'eth0')))]
console.log(`a dump of ${dump.length} links has ${(dump.reduce((sum, { length }) => sum + length, 0) / 1e6).toFixed(1)} MB`)
if (written === undefined) throw new Error('the netlink package wrote no whole message')
median('own codec, the dump read into objects', () => {
  for (const payload of dump) parseLink(payload)
})
median('netlink package, the dump read into objects (without the part of each kind)', () => {
  for (const payload of dump) rt.parseMessage(RTM_NEWLINK, Buffer.from(payload.buffer, payload.byteOffset, payload.length))
})
