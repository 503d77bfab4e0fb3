import { CnmError } from '../../src/contracts/errors.js'
import { asText, parseOptions, type OptionParser, type OptionTable } from '../../src/contracts/options.js'
import { parseMountWords } from './mount-words.js'

export interface LocalOptions {
  type?: string
  device?: string
  o?: string
  /** Bytes. */
  size?: number
  owner?: { uid: number; gid: number }
  mode?: number
  label?: string
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

const asSize: OptionParser<number> = (text) => {
  const [, digits, unit] = /^(\d+)(b|[kmgt](?:i?b)?)?$/i.exec(text) ?? []
  const bytes = Number(digits) * UNITS[(unit ?? '').toLowerCase().slice(0, 1)]!
  if (digits === undefined || bytes === 0 || !Number.isSafeInteger(bytes)) throw new Error('expected a size such as 512m or 10g')
  return bytes
}

const asOwner: OptionParser<{ uid: number; gid: number }> = (text) => {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(text) ?? []
  if (uid === undefined || gid === undefined || Number(uid) >= 2 ** 32 - 1 || Number(gid) >= 2 ** 32 - 1) {
    throw new Error('expected numbers of user and group: 1000:1000')
  }
  return { uid: Number(uid), gid: Number(gid) }
}

const asMode: OptionParser<number> = (text) => {
  if (!/^[0-7]{3,4}$/.test(text)) throw new Error('expected three or four octal digits')
  return parseInt(text, 8)
}

const asLabel: OptionParser<string> = (text) => {
  if (!/^[^\s:\0]+:[^\s:\0]+:[^\s:\0]+(:[^\s\0]+)?$/.test(text)) throw new Error('expected a security context: user:role:type:level')
  return text
}

const asWords: OptionParser<string> = (text) => {
  parseMountWords(text)
  return text
}

const TABLE: OptionTable<LocalOptions> = {
  type: { to: 'type', parse: asText },
  device: { to: 'device', parse: asText },
  o: { to: 'o', parse: asWords },
  size: { to: 'size', parse: asSize },
  owner: { to: 'owner', parse: asOwner },
  mode: { to: 'mode', parse: asMode },
  'selinux-label': { to: 'label', parse: asLabel },
}

const WHAT = 'volume driver local'

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export function parseLocalOptions(raw: Readonly<Record<string, string>>): LocalOptions {
  const options = parseOptions<LocalOptions>(raw, TABLE, {}, WHAT)
  const { type, device, o, size } = options
  if ((type === undefined) !== (device === undefined)) throw refused(type === undefined ? 'type' : 'device', 'type and device go together')
  if (o !== undefined && type === undefined) throw refused('o', 'it needs type and device')
  const { bind, rest } = parseMountWords(o ?? '')
  if (bind !== undefined && rest.length > 0) throw refused('o', `${rest[0]} is not for a bind mount`)
  if (bind === undefined && type === 'none') throw refused('o', 'type none needs bind or rbind')
  if (bind !== undefined && !device!.startsWith('/')) throw refused('device', 'a bind mount needs an absolute path')
  if (size !== undefined && type !== undefined && type !== 'tmpfs') throw refused('size', `a file system of type ${type} has its own size`)
  if (type === 'cifs' && /^[/\\]{2}[^/\\]*:\d+[/\\]/.test(device!)) throw refused('device', 'give the port in o: port=445')
  return options
}

const refused = (option: string, why: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `${WHAT}: option ${option}: ${why}`, { field: `options.${option}` })
