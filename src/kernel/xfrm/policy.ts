/** Which packets must be protected how: policy messages of NETLINK_XFRM (RFC 4301, linux/xfrm.h). */
import { CnmError } from '../../contracts/errors.js'
import type { XfrmPolicyObject } from '../../contracts/kernel-objects.js'
import { attributeMap, u16, u32, u8 } from '../netlink/reader.js'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import {
  checkMode,
  endpoints,
  hasInterfaceId,
  ID_LENGTH,
  IPPROTO_ESP,
  LIFETIMES_LENGTH,
  MODES,
  readAddress,
  readMark,
  readSelector,
  readSpi,
  SELECTOR_LENGTH,
  writeAddress,
  writeId,
  writeLifetimes,
  writeMark,
  writeSelector,
  XFRMA_MARK,
} from './structs.js'

const XFRM_MSG_NEWPOLICY = 0x13
const XFRM_MSG_DELPOLICY = 0x14
export const XFRM_MSG_GETPOLICY = 0x15
const XFRM_MSG_UPDPOLICY = 0x19
const XFRMA_TMPL = 5
const DIRECTIONS = ['in', 'out', 'fwd'] as const
const ACTIONS = ['allow', 'block'] as const
const ANY_ALGORITHM = 0xffff_ffff
const PRIORITY = SELECTOR_LENGTH + LIFETIMES_LENGTH
const DIRECTION = PRIORITY + 8
const ACTION = PRIORITY + 9
export const POLICY_LENGTH = 168
/** struct xfrm_userpolicy_id. */
export const POLICY_ID_LENGTH = 64
const TEMPLATE_LENGTH = 64
const MOST_TEMPLATES = 6

type Template = XfrmPolicyObject['templates'][number]

/** @param replace take the place of the policy with this selector, direction and mark, or make it */
export function newPolicy(writer: MessageWriter, policy: XfrmPolicyObject, replace: boolean): void {
  if (replace) writer.begin(XFRM_MSG_UPDPOLICY, NLM_F_ACK)
  else writer.begin(XFRM_MSG_NEWPOLICY, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
  writeSelector(writer, policy)
  writeLifetimes(writer)
  writer.u32(policy.priority ?? 0).u32(0)
  // direction, action, flags, share; then padding of the structure to eight bytes
  writer
    .u8(choice(DIRECTIONS, policy.direction, 'direction'))
    .u8(choice(ACTIONS, policy.action ?? 'allow', 'action'))
    .u16(0)
    .u32(0)
  writeTemplates(writer, policy.templates)
  writeMark(writer, policy.mark)
  writer.end()
}

export function deletePolicy(writer: MessageWriter, policy: XfrmPolicyObject): void {
  writer.begin(XFRM_MSG_DELPOLICY, NLM_F_ACK)
  writeSelector(writer, policy)
  writer
    .u32(0)
    .u8(choice(DIRECTIONS, policy.direction, 'direction'))
    .u8(0)
    .u16(0)
  writeMark(writer, policy.mark)
  writer.end()
}

/** A policy of a dump in normal form; `undefined` for those of single sockets, xfrm interfaces and other protocols than ESP. */
export function parsePolicy(payload: Uint8Array): Omit<XfrmPolicyObject, 'at'> | undefined {
  const direction = DIRECTIONS[u8(payload, DIRECTION)]
  if (payload.length < POLICY_LENGTH || direction === undefined) return undefined
  const attributes = attributeMap(payload, POLICY_LENGTH)
  const templates = parseTemplates(attributes.get(XFRMA_TMPL) ?? new Uint8Array(0))
  if (templates === undefined || hasInterfaceId(attributes)) return undefined
  const priority = u32(payload, PRIORITY)
  const mark = readMark(attributes.get(XFRMA_MARK))
  return {
    kind: 'xfrm-policy',
    direction,
    ...readSelector(payload, 0),
    ...(priority === 0 ? {} : { priority }),
    action: ACTIONS[u8(payload, ACTION)] ?? 'block',
    ...(mark === undefined ? {} : { mark }),
    templates,
  }
}

/** An array of struct xfrm_user_tmpl. */
function writeTemplates(writer: MessageWriter, templates: Template[]): void {
  if (templates.length === 0) return
  if (templates.length > MOST_TEMPLATES) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `templates: a policy has at most ${MOST_TEMPLATES}`, { field: 'templates' })
  }
  writer.nestPlain(XFRMA_TMPL, () => templates.forEach((template) => writeTemplate(writer, template)))
}

function writeTemplate(writer: MessageWriter, template: Template): void {
  const { source, destination, family } = endpoints(template.source, template.destination)
  writeId(writer, destination, template.spi ?? 0)
  writer.u16(family).u16(0)
  writeAddress(writer, source)
  const optional = choice(['required', 'use'], template.level ?? 'required', 'templates.level')
  // request id, mode, share, optional, padding, then the algorithms that may serve
  writer
    .u32(template.requestId ?? 0)
    .u8(checkMode(template.mode))
    .u8(0)
    .u8(optional)
    .u8(0)
  writer.u32(ANY_ALGORITHM).u32(ANY_ALGORITHM).u32(ANY_ALGORITHM)
}

function parseTemplates(bytes: Uint8Array): Template[] | undefined {
  const templates: Template[] = []
  for (let at = 0; at + TEMPLATE_LENGTH <= bytes.length; at += TEMPLATE_LENGTH) {
    if (u8(bytes, at + 20) !== IPPROTO_ESP) return undefined
    const family = u16(bytes, at + ID_LENGTH)
    const spi = readSpi(bytes, at)
    const requestId = u32(bytes, at + 44)
    templates.push({
      source: readAddress(bytes, at + 28, family),
      destination: readAddress(bytes, at, family),
      ...(spi === 0 ? {} : { spi }),
      mode: MODES[u8(bytes, at + 48)] ?? 'transport',
      ...(requestId === 0 ? {} : { requestId }),
      level: u8(bytes, at + 50) === 0 ? 'required' : 'use',
    })
  }
  return templates
}

function choice(values: readonly string[], value: string, field: string): number {
  const index = values.indexOf(value)
  if (index < 0)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(value)} is none of ${values.join(', ')}`, { field })
  return index
}
