import { MAX_LABEL, MAX_NAME } from './constants.js'

/**
 * Names as this package keeps them: wire form (a length byte before each label) without the final zero byte, as a
 * string of one character per byte. Unlike dotted text it is unambiguous for labels of any bytes, and a question's name
 * is compared with it without conversion.
 */
export type WireName = string

/** `web.front` to `\x03web\x05front`. @returns undefined when it is no DNS name */
export function toWireName(text: string): WireName | undefined {
  const trimmed = text.endsWith('.') ? text.slice(0, -1) : text
  if (trimmed === '') return ''
  let wire = ''
  for (const label of trimmed.split('.')) {
    if (label.length === 0 || label.length > MAX_LABEL || /[^\x01-\x7f]/.test(label)) return undefined
    wire += String.fromCharCode(label.length) + label
  }
  return wire.length + 1 > MAX_NAME ? undefined : wire
}

/** The form in which names are looked up. */
export function lowerCase(name: WireName): WireName {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** For people: unusual bytes as in RFC 4343, `\046`. */
export function toText(name: WireName): string {
  const labels: string[] = []
  for (let at = 0; at < name.length; at += name.charCodeAt(at) + 1) {
    const label = name.slice(at + 1, at + 1 + name.charCodeAt(at))
    labels.push(label.replace(/[^!-~]|[.\\]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`))
  }
  return labels.length === 0 ? '.' : labels.join('.')
}

/** Without its first label. */
export function parentOf(name: WireName): WireName {
  return name.slice(name.charCodeAt(0) + 1)
}

export function firstLabel(name: WireName): string {
  return name.slice(1, 1 + name.charCodeAt(0))
}
