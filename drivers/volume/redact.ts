import { split } from './mount-words.js'

const HIDDEN = '***'
const PASSWORDS = new Set(['password', 'pass', 'password2', 'secret'])
/** `//user:password@server/share` */
const IN_DEVICE = /^([/\\]{2}[^/\\@:]*:)([^@]*)(@)/

/** The options as anybody may see them, and what was taken out. */
export function redact(options: Readonly<Record<string, string>>): { shown: Record<string, string>; secrets: string[] } {
  const secrets: string[] = []
  const hide = (secret: string): string => {
    if (secret !== '') secrets.push(secret)
    return HIDDEN
  }
  const shown = { ...options }
  if (options.o !== undefined) {
    const words = split(options.o)
    const masked = words.map((word) => {
      const at = word.indexOf('=')
      return at > 0 && PASSWORDS.has(word.slice(0, at)) ? `${word.slice(0, at + 1)}${hide(word.slice(at + 1))}` : word
    })
    if (secrets.length > 0) shown.o = masked.join(',')
  }
  if (options.device !== undefined)
    shown.device = options.device.replace(
      IN_DEVICE,
      (_all, before: string, secret: string, after: string) => `${before}${hide(secret)}${after}`,
    )
  return { shown, secrets }
}
