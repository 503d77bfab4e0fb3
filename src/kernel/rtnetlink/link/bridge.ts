import type { BridgeOptions } from '../../../contracts/kernel-objects.js'
import { attributeTable } from '../../netlink/reader.js'
import {
  optionNames,
  optionsDiffer,
  readOptions,
  refuseUnknown,
  writeChangedOptions,
  writeOptions,
  type OptionField,
} from '../option-fields.js'
import type { LinkKind, LinkOf } from './kind.js'

/** IFLA_BR_*. Times are in hundredths of a second, as ip(8) and the kernel have them. */
const FIELDS: readonly OptionField<keyof BridgeOptions & string>[] = [
  { key: 'forwardDelay', attribute: 1, width: 'u32', initial: 1500 },
  { key: 'helloTime', attribute: 2, width: 'u32', initial: 200 },
  { key: 'maxAge', attribute: 3, width: 'u32', initial: 2000 },
  { key: 'ageingTime', attribute: 4, width: 'u32', initial: 30_000 },
  { key: 'stp', attribute: 5, width: 'u32', boolean: true, initial: false },
  { key: 'priority', attribute: 6, width: 'u16', initial: 0x8000 },
  { key: 'vlanFiltering', attribute: 7, width: 'u8', boolean: true, initial: false },
  { key: 'groupForwardMask', attribute: 9, width: 'u16', initial: 0 },
  { key: 'multicastSnooping', attribute: 23, width: 'u8', boolean: true, initial: true },
  { key: 'vlanDefaultPvid', attribute: 39, width: 'u16', initial: 1 },
]
const NAMES = optionNames(FIELDS)
const NONE: BridgeOptions = {}

export const bridge: LinkKind<LinkOf<'bridge'>> = {
  options: ['bridge'],
  write(writer, link) {
    if (link.bridge === undefined) return
    refuseUnknown(link.bridge, NAMES, 'a bridge')
    writeOptions(writer, FIELDS, link.bridge)
  },
  differs: (from, to) => optionsDiffer(FIELDS, from.bridge ?? NONE, to.bridge ?? NONE),
  writeChanges(writer, from, to) {
    refuseUnknown(to.bridge ?? NONE, NAMES, 'a bridge')
    writeChangedOptions(writer, FIELDS, from.bridge ?? NONE, to.bridge ?? NONE)
  },
  parse(data) {
    const options = readOptions<BridgeOptions>(FIELDS, attributeTable(data, 0, 39))
    return { fields: options === undefined ? {} : { bridge: options } }
  },
}
