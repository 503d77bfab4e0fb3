import { refusal } from './refusal.js'

/** What nft(8) accepts as an identifier, within the kernel's NFT_NAME_MAXLEN. */
const NAME = /^[A-Za-z_.][A-Za-z0-9_./-]{0,254}$/
/** As in nft(8), so that its listing can be loaded again. */
const LONGEST_COMMENT = 128

export function checkName(name: string, field: string): string {
  if (typeof name !== 'string' || !NAME.test(name))
    throw refusal(field, `${JSON.stringify(name)} is not a name of letters, digits and _ . / -`)
  return name
}

export function checkComment(comment: string | undefined, field: string): string | undefined {
  if (comment === undefined) return undefined
  if (typeof comment !== 'string' || comment === '' || comment.includes('\0') || Buffer.byteLength(comment) > LONGEST_COMMENT) {
    throw refusal(field, `a comment has 1 to ${LONGEST_COMMENT} bytes`)
  }
  return comment
}
