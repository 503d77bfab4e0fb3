import type { LinkObject, ParentLink, Place } from '../../../contracts/kernel-objects.js'
import type { TransactionContext } from '../../handler.js'
import type { MessageWriter } from '../../netlink/writer.js'

/** A link of one type. */
export type LinkOf<T extends LinkObject['type']> = Extract<LinkObject, { type: T }>

/** What one type of link adds to what all links have. */
export interface LinkKind<L extends LinkObject = LinkObject> {
  /** Keys of the object beyond those of all links. */
  readonly options: readonly string[]
  /** Attributes of IFLA_INFO_DATA, when the link is made. @throws CnmError for input that cannot be honoured */
  write?(writer: MessageWriter, link: L, context: TransactionContext): void
  /** Whether {@link writeChanges} has something to write. @throws CnmError ERR_CNM_NOT_SUPPORTED for what cannot change */
  differs?(from: L, to: L): boolean
  /** Attributes of IFLA_INFO_DATA that lead from one state to the other. */
  writeChanges?(writer: MessageWriter, from: L, to: L, context: TransactionContext): void
  /** Pure: whatever the bytes of IFLA_INFO_DATA are, it throws nothing. */
  parse?(data: Uint8Array): ParsedKind
}

export interface ParsedKind {
  /** The fields of the link that can be told from the message alone. */
  fields: Record<string, unknown>
  /** Index of the lower link of a vxlan; of other links IFLA_LINK tells it. */
  parentIndex?: number
}

/** The lower link that the object names, if its type has one. */
export function parentOf(link: LinkObject): ParentLink | undefined {
  return 'parent' in link ? link.parent : undefined
}

/**
 * The namespace whose socket takes the message that makes the link: that of the lower link, from which the kernel takes
 * index and, for vxlan, the namespace of the UDP socket.
 */
export function birthplace(link: LinkObject): Place {
  const underlay = link.type === 'vxlan' ? link.underlay : undefined
  return parentOf(link)?.at ?? underlay ?? link.at
}
