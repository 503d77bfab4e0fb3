import type { Headers } from 'tar-stream'
import { isKept, type Appearance, type Attributes } from '../files/index.js'
import { refused } from './paths.js'

/** The header of an entry, with the records of its long form, which the types of the library leave out. */
export type EntryHeader = Headers & { pax?: Record<string, string> | null }

/** libarchive's form, for values that are bytes, and the older one of star and GNU tar, for text. */
const BYTES = 'LIBARCHIVE.xattr.'
const TEXT = 'SCHILY.xattr.'
const NO_TEXT = '\ufffd'

export function appearanceIn({ uid, gid, mode, mtime, pax }: EntryHeader, name: string): Appearance {
  const exact = Number(pax?.mtime)
  const modified = pax?.mtime !== undefined && Number.isFinite(exact) ? exact : (mtime?.getTime() ?? 0) / 1000
  return { uid: uid ?? 0, gid: gid ?? 0, mode: mode ?? 0o644, modified, attributes: attributesIn(pax ?? {}, name) }
}

function attributesIn(pax: Record<string, string>, name: string): Attributes {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(pax)) {
    const attribute = key.startsWith(TEXT) ? key.slice(TEXT.length) : undefined
    if (attribute === undefined || !isKept(attribute) || `${BYTES}${attribute}` in pax) continue
    if (value.includes(NO_TEXT)) throw refused(name, `has the attribute ${attribute} in a form that cannot carry its value`)
    found.set(attribute, Buffer.from(value).toString('base64'))
  }
  for (const [key, value] of Object.entries(pax)) {
    const attribute = key.startsWith(BYTES) ? decodeURIComponent(key.slice(BYTES.length)) : ''
    if (isKept(attribute)) found.set(attribute, value)
  }
  return [...found]
}

export function paxOf({ modified, attributes }: Appearance): Record<string, string> {
  const pax: Record<string, string> = { mtime: modified.toFixed(6) }
  for (const [name, value] of attributes) pax[`${BYTES}${encodeURIComponent(name)}`] = value
  return pax
}
