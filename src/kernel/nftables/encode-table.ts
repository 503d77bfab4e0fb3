import type { FirewallTable } from '../../contracts/firewall.js'
import { NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import { beginMessage, DELTABLE, NEWTABLE, TABLE } from './messages.js'
import { checkComment, checkName } from './names.js'
import { onlyKeys } from './refusal.js'
import { commentData, UDATA_COMMENT } from './userdata.js'

/** `nft add table`. @param exclusive The table must not exist. */
export function encodeTable(writer: MessageWriter, table: FirewallTable, exclusive: boolean): void {
  onlyKeys(table, ['kind', 'at', 'family', 'name', 'comment'], 'table')
  const name = checkName(table.name, 'name')
  const comment = commentData(UDATA_COMMENT.table, checkComment(table.comment, 'comment'))
  beginMessage(writer, NEWTABLE, NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), table.family)
    .attrString(TABLE.name, name)
    .attrU32be(TABLE.flags, 0)
  if (comment !== undefined) writer.attrBytes(TABLE.userdata, comment)
  writer.end()
}

/** With everything in it. */
export function encodeTableRemoval(writer: MessageWriter, table: FirewallTable): void {
  beginMessage(writer, DELTABLE, 0, table.family).attrString(TABLE.name, checkName(table.name, 'name')).end()
}
