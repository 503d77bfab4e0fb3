import { attributeTable, u16 } from '../../netlink/reader.js'
import type { MessageWriter } from '../../netlink/writer.js'
import { numberOf, wordOf } from '../input.js'
import type { LinkKind, LinkOf } from './kind.js'
import { sameParent, unchangeable } from './unchangeable.js'

const IFLA_IPVLAN_MODE = 1
const IFLA_IPVLAN_FLAGS = 2
const MODE = { l2: 0, l3: 1, l3s: 2 } as const
const FLAG = { bridge: 0, private: 1, vepa: 2 } as const
/** Docker's; the kernel's own is l3, so the mode is always sent. */
const DEFAULT_MODE = 'l2'
const DEFAULT_FLAG = 'bridge'

type Ipvlan = LinkOf<'ipvlan'>

export const ipvlan: LinkKind<Ipvlan> = {
  options: ['parent', 'mode', 'flag'],
  write(writer, link) {
    writeMode(writer, link)
    if (link.flag !== undefined) writeFlag(writer, link)
  },
  differs(from, to) {
    if (!sameParent(from, to)) throw unchangeable(to, 'the parent')
    return modeOf(from) !== modeOf(to) || flagOf(from) !== flagOf(to)
  },
  writeChanges(writer, from, to) {
    if (modeOf(from) !== modeOf(to)) writeMode(writer, to)
    if (flagOf(from) !== flagOf(to)) writeFlag(writer, to)
  },
  parse(data) {
    const table = attributeTable(data, 0, IFLA_IPVLAN_FLAGS)
    const fields: Record<string, unknown> = { mode: wordOf(u16(table[IFLA_IPVLAN_MODE] ?? NOTHING), MODE) }
    const flag = wordOf(u16(table[IFLA_IPVLAN_FLAGS] ?? NOTHING), FLAG)
    if (flag !== DEFAULT_FLAG) fields.flag = flag
    return { fields }
  },
}

const NOTHING = new Uint8Array(0)
const modeOf = (link: Ipvlan): string => link.mode ?? DEFAULT_MODE
const flagOf = (link: Ipvlan): string => link.flag ?? DEFAULT_FLAG

function writeMode(writer: MessageWriter, link: Ipvlan): void {
  writer.attrU16(IFLA_IPVLAN_MODE, numberOf(modeOf(link), MODE, 'mode'))
}

function writeFlag(writer: MessageWriter, link: Ipvlan): void {
  writer.attrU16(IFLA_IPVLAN_FLAGS, numberOf(flagOf(link), FLAG, 'flag'))
}
