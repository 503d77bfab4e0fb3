import type { MessageWriter } from '../netlink/writer.js'
import type { FeatureName } from './capabilities.js'
import type { ProbedChain } from './nftables.js'

type Expression = [name: string, data?: (writer: MessageWriter) => void]

export interface ProbedExpression {
  chain: ProbedChain
  expressions: Expression[]
}

// Attribute numbers: linux/netfilter/nf_tables.h, enum nft_<expression>_attributes. Register 1 is the first of 16 bytes.
const NFPROTO_IPV4 = 2
const NFT_NAT_DNAT = 1
const NFT_FIB_RESULT_ADDRTYPE = 3
const NFTA_FIB_F_DADDR = 2
const NFT_REJECT_ICMPX_UNREACH = 2
const NFT_CT_STATE = 0

/** Loads four bytes into register 1, as an address or port for the expression that follows. */
const load: Expression = ['immediate', (writer) => writer.attrU32be(1, 1).nest(2, () => writer.attrBytes(1, Uint8Array.of(10, 0, 0, 1)))]

/** One rule per feature, in a chain where the kernel accepts it. */
export const EXPRESSIONS: Partial<Record<FeatureName, ProbedExpression>> = {
  'nft-nat': {
    chain: 'nat-pre',
    expressions: [load, ['nat', (writer) => writer.attrU32be(1, NFT_NAT_DNAT).attrU32be(2, NFPROTO_IPV4).attrU32be(3, 1)]],
  },
  'nft-masquerade': { chain: 'nat-post', expressions: [['masq']] },
  'nft-redirect': { chain: 'nat-pre', expressions: [['redir']] },
  'nft-fib': {
    chain: 'prerouting',
    expressions: [['fib', (writer) => writer.attrU32be(1, 1).attrU32be(2, NFT_FIB_RESULT_ADDRTYPE).attrU32be(3, NFTA_FIB_F_DADDR)]],
  },
  'nft-tproxy': {
    chain: 'prerouting',
    expressions: [load, ['tproxy', (writer) => writer.attrU32be(1, NFPROTO_IPV4).attrU32be(2, 1)]],
  },
  'nft-numgen': { chain: 'input', expressions: [['numgen', (writer) => writer.attrU32be(1, 1).attrU32be(2, 2).attrU32be(3, 0)]] },
  'nft-hash': {
    chain: 'input',
    expressions: [load, ['hash', (writer) => writer.attrU32be(1, 1).attrU32be(2, 1).attrU32be(3, 4).attrU32be(4, 2)]],
  },
  'nft-reject': { chain: 'input', expressions: [['reject', (writer) => writer.attrU32be(1, NFT_REJECT_ICMPX_UNREACH).attrU8(2, 0)]] },
  'nft-limit': { chain: 'input', expressions: [['limit', (writer) => writer.attrU64be(1, 10n).attrU64be(2, 1n)]] },
  'nft-log': { chain: 'input', expressions: [['log']] },
  'nft-ct': { chain: 'input', expressions: [['ct', (writer) => writer.attrU32be(1, 1).attrU32be(2, NFT_CT_STATE)]] },
}
