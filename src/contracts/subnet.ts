import { BlockList } from 'node:net'

/** Whether an address lies in a subnet (`10.0.0.0/24`; host bits do not matter). One of the other family does not. */
export function isInSubnet(subnet: string, address: string): boolean {
  const [base = '', bits] = subnet.split('/')
  const [family, other] = [base, address].map((text) => (text.includes(':') ? 'ipv6' : 'ipv4'))
  if (family !== other) return false
  const list = new BlockList()
  list.addSubnet(base, Number(bits), family)
  return list.check(address, family)
}
