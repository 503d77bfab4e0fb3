import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { CnmError } from '../../src/contracts/errors.js'
import { valueOf } from './mount-words.js'

/**
 * The kernel takes no names of servers: `addr=` becomes the address that it stands for now. Without one, the server is
 * the one that the device names.
 * @throws CnmError ERR_CNM_NAME_NOT_FOUND
 */
export async function withServerAddress(type: string, device: string, options: readonly string[]): Promise<string[]> {
  if (!/^(nfs4?|cifs|smb3)$/.test(type)) return [...options]
  const server = valueOf(options, 'addr') ?? valueOf(options, 'ip') ?? serverOf(device)
  if (server === undefined || server === '') return [...options]
  const others = options.filter((option) => !/^(addr|ip)=/.test(option))
  return [...others, `addr=${await addressOf(server)}`]
}

/** `server:/path`, `[fd00::1]:/path`, `//server/share`, `//user@server/share` */
function serverOf(device: string): string | undefined {
  const [, share] = /^[/\\]{2}(?:[^/\\@]*@)?([^/\\@]+)[/\\]/.exec(device) ?? []
  const [, bracketed, host] = /^(?:\[([^\]]+)\]|([^:/]+)):/.exec(device) ?? []
  return share ?? bracketed ?? host
}

async function addressOf(server: string): Promise<string> {
  if (isIP(server) !== 0) return server
  try {
    return (await lookup(server)).address
  } catch (error) {
    throw new CnmError('ERR_CNM_NAME_NOT_FOUND', `no address for server ${server}`, { object: `server ${server}`, cause: error })
  }
}
