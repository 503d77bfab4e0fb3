import { CnmError } from '../../contracts/errors.js'
import type { PortReservation, ReservationResult } from '../../kernel/index.js'
import type { PortRequest } from './port-requests.js'

type Refusal = Extract<ReservationResult, { errno: number }>

const EPERM = 1
const EACCES = 13
const EADDRINUSE = 98
const EADDRNOTAVAIL = 99

/** Why a request could not be met, with the name of whoever has the port. */
export async function portFailure(
  request: PortRequest,
  refusal: Refusal | undefined,
  holderOf: (port: PortReservation) => Promise<string | undefined>,
): Promise<CnmError> {
  const errno = refusal?.errno ?? EADDRINUSE
  if (refusal === undefined || (errno === EADDRINUSE && request.candidates === undefined)) return exhausted(request)
  const { address, port, protocol } = refusal.refused
  const where = `${address.includes(':') ? `[${address}]` : address}:${port}/${protocol}`
  const details = { field: 'ports', errno }
  if (errno === EADDRNOTAVAIL) return new CnmError('ERR_CNM_ADDRESS_NOT_FOUND', `${where}: the host has no address ${address}`, details)
  if (errno === EACCES || errno === EPERM) return new CnmError('ERR_CNM_NOT_PERMITTED', `${where}: not permitted`, details)
  if (errno !== EADDRINUSE) return new CnmError('ERR_CNM_KERNEL', `${where}: cannot be reserved (errno ${errno})`, details)
  const holder = await holderOf(refusal.refused)
  const many = (request.candidates?.length ?? 1) > 1 ? `, like every other port from ${request.candidates![0]} on` : ''
  return new CnmError('ERR_CNM_PORT_IN_USE', `${where} is in use${holder === undefined ? '' : ` by ${holder}`}${many}`, details)
}

function exhausted({ protocol, count }: PortRequest): CnmError {
  const what = count > 1 ? `${count} free ${protocol} ports in a row` : `a free ${protocol} port`
  return new CnmError('ERR_CNM_PORTS_EXHAUSTED', `there is not ${what} in net.ipv4.ip_local_port_range`, { field: 'ports' })
}
