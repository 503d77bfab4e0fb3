import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_XFRM } from '../handler.js'
import { genericFamily } from '../generic-netlink.js'
import * as sys from '../syscalls.js'
import { XFRM_MSG_GETPOLICY } from '../xfrm/policy.js'
import { newState } from '../xfrm/state.js'
import type { XfrmStateObject } from '../../contracts/kernel-objects.js'
import { YES, type Verdict } from './capabilities.js'
import { attempt, verdictOf } from './verdict.js'
import type { ProbeWorld } from './world.js'

const IPCTNL_MSG_CT_GET = 0x0101
const SOL_NETLINK = 270
const NETLINK_LISTEN_ALL_NSID = 8
const PROBED_STATE: XfrmStateObject = {
  kind: 'xfrm-state',
  at: 'host',
  source: '192.0.2.1',
  destination: '192.0.2.2',
  spi: 0x1000,
  aead: { name: 'rfc4106(gcm(aes))', key: '00'.repeat(36), icvBits: 128 },
  replayWindow: 2048,
  esn: true,
}

/** A dump of the (empty) connection table. */
export function conntrack(world: ProbeWorld): Verdict {
  return attempt(() => {
    // struct nfgenmsg: family AF_UNSPEC, version, resource id
    world.socket(NETLINK_NETFILTER).dump(
      IPCTNL_MSG_CT_GET,
      (writer) => writer.u32(0),
      () => undefined,
    )
  })
}

/** A dump of the (empty) policy table. */
export function xfrm(world: ProbeWorld): Verdict {
  return attempt(() => {
    world.socket(NETLINK_XFRM).dump(
      XFRM_MSG_GETPOLICY,
      () => undefined,
      () => undefined,
    )
  })
}

/** Adds a security association with a key of zeros: only then does the kernel look for ESP and the cipher. */
export function xfrmEsp(world: ProbeWorld): Verdict {
  let verdict: Verdict = YES
  const asked = attempt(() => {
    const socket = world.socket(NETLINK_XFRM)
    const writer = socket.writer()
    newState(writer, PROBED_STATE)
    verdict = verdictOf(socket.exchange(writer)[0])
  })
  return asked.available ? verdict : asked
}

export function ethtoolNetlink(world: ProbeWorld): Verdict {
  return attempt(() => genericFamily(world.socket(NETLINK_GENERIC), 'ethtool'))
}

export function listenAllNsid(world: ProbeWorld): Verdict {
  return attempt(() => sys.setSocketOption(world.socket(NETLINK_ROUTE).fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1))
}

export function networkNamespaces(world: ProbeWorld): Verdict {
  return attempt(() => world.inside(() => undefined))
}

export function ipv6(): Verdict {
  const opened = attempt(() => sys.close(sys.socket(sys.AF_INET6, sys.SOCK_DGRAM, 0)))
  return opened.available ? YES : opened
}
