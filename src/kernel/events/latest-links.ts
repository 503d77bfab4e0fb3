import { i32, u8 } from '../netlink/reader.js'
import type { Notification } from './event-socket.js'

const RTM_NEWLINK = 16
const RTM_DELLINK = 17

type Heard = Notification | 'overrun'

/**
 * Of the news of one link that come together, the first (which has its name, for what follows) and the last: a link that is
 * made, put into its bridge and raised is told of five times. Those before and after a removal are apart.
 * @param heard as it is read, each valid until the next
 */
export function latestOfLinks(heard: Iterable<Heard>): Heard[] {
  const kept: (Heard | undefined)[] = []
  const known = new Map<string, { first: number; last: number }>()
  for (const news of heard) {
    const place = kept.length
    if (news === 'overrun') {
      kept.push(news)
      continue
    }
    const { message } = news
    kept.push({ ...news, message: { ...message, payload: message.payload.slice() } })
    if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) continue
    const link = `${news.nsid ?? ''} ${u8(message.payload)} ${i32(message.payload, 4)}`
    const before = known.get(link)
    if (message.type === RTM_DELLINK) known.delete(link)
    else if (before === undefined) known.set(link, { first: place, last: place })
    else {
      if (before.last !== before.first) kept[before.last] = undefined
      before.last = place
    }
  }
  return kept.filter((news) => news !== undefined)
}
