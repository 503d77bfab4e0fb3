import type { LinkObject, WireguardOptions } from '../../contracts/kernel-objects.js'
import { NETLINK_GENERIC, type ObjectHandler } from '../handler.js'
import { MessageWriter } from '../netlink/writer.js'
import { applyWireguard } from './apply.js'
import { wholeConfiguration, wireguardMessages } from './messages.js'
import { readWireguardOptions } from './options.js'

/**
 * The handler of links, with the configuration of WireGuard devices: rtnetlink makes such a link, and generic netlink
 * tells it its keys and peers. Listings do not have the configuration, since it is made of secrets.
 */
export function withWireguard(links: ObjectHandler<'link'>): ObjectHandler<'link'> {
  return {
    ...links,
    create(link, context, replace) {
      check(link)
      links.create(link, context, replace)
      if (link.type === 'wireguard') applyWireguard(link, context)
    },
    change(from, to, context) {
      check(to)
      links.change(from, to, context)
      if (from.type === 'wireguard' && to.type === 'wireguard') applyWireguard(to, context, from)
    },
    read(link, context) {
      const found = links.read?.(link, context)
      if (found?.type !== 'wireguard') return found
      return { ...found, wireguard: readWireguardOptions(context.socket(link.at, NETLINK_GENERIC), link.name) }
    },
  }
}

/** Bad input is refused before the link is made. */
function check(link: LinkObject): void {
  const options: WireguardOptions | undefined = link.type === 'wireguard' ? link.wireguard : undefined
  if (options === undefined) return
  const writer = new MessageWriter(1)
  for (const _message of wireguardMessages(() => writer, 0, 0, wholeConfiguration(options)));
}
