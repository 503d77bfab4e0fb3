/**
 * The instructions that the kernel runs for a rule, as data, and their netlink form (linux/netfilter/nf_tables.h,
 * NFTA_LIST_ELEM with NFTA_EXPR_NAME and NFTA_EXPR_DATA). One table says for each instruction which attributes it
 * has; writing and reading both follow it.
 */

/** How an attribute is written; numbers are in network order. */
export type AttributeKind =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'string'
  /** One of 16 registers of 4 bytes (0 ... 15), or {@link VERDICT}. */
  | 'register'
  /** NFTA_DATA_VALUE: bytes. */
  | 'value'
  /** Bytes, or a verdict. */
  | 'data'
  | 'instruction'
  /** A list of instructions. */
  | 'list'

/** The register whose content decides about the packet. */
export const VERDICT = -1

export interface KernelVerdict {
  /** NF_DROP 0, NF_ACCEPT 1, or negative: enum nft_verdicts */
  code: number
  chain?: string
}

type Row = readonly [attribute: number, kind: AttributeKind]

export const INSTRUCTIONS = {
  immediate: { dreg: [1, 'register'], data: [2, 'data'] },
  payload: {
    dreg: [1, 'register'],
    base: [2, 'u32'],
    offset: [3, 'u32'],
    length: [4, 'u32'],
    sreg: [5, 'register'],
    checksumType: [6, 'u32'],
    checksumOffset: [7, 'u32'],
    checksumFlags: [8, 'u32'],
  },
  meta: { dreg: [1, 'register'], key: [2, 'u32'], sreg: [3, 'register'] },
  ct: { dreg: [1, 'register'], key: [2, 'u32'], direction: [3, 'u8'], sreg: [4, 'register'] },
  rt: { dreg: [1, 'register'], key: [2, 'u32'] },
  fib: { dreg: [1, 'register'], result: [2, 'u32'], flags: [3, 'u32'] },
  exthdr: {
    dreg: [1, 'register'],
    kind: [2, 'u8'],
    offset: [3, 'u32'],
    length: [4, 'u32'],
    flags: [5, 'u32'],
    op: [6, 'u32'],
    sreg: [7, 'register'],
  },
  numgen: { dreg: [1, 'register'], modulus: [2, 'u32'], mode: [3, 'u32'], offset: [4, 'u32'] },
  hash: {
    sreg: [1, 'register'],
    dreg: [2, 'register'],
    length: [3, 'u32'],
    modulus: [4, 'u32'],
    seed: [5, 'u32'],
    offset: [6, 'u32'],
    mode: [7, 'u32'],
  },
  socket: { key: [1, 'u32'], dreg: [2, 'register'], level: [3, 'u32'] },
  xfrm: { dreg: [1, 'register'], key: [2, 'u32'], direction: [3, 'u8'], spnum: [4, 'u32'] },
  bitwise: {
    sreg: [1, 'register'],
    dreg: [2, 'register'],
    length: [3, 'u32'],
    mask: [4, 'value'],
    xor: [5, 'value'],
    op: [6, 'u32'],
    data: [7, 'value'],
  },
  byteorder: { sreg: [1, 'register'], dreg: [2, 'register'], op: [3, 'u32'], length: [4, 'u32'], size: [5, 'u32'] },
  cmp: { sreg: [1, 'register'], op: [2, 'u32'], data: [3, 'value'] },
  range: { sreg: [1, 'register'], op: [2, 'u32'], from: [3, 'value'], to: [4, 'value'] },
  lookup: { set: [1, 'string'], sreg: [2, 'register'], dreg: [3, 'register'], setId: [4, 'u32'], flags: [5, 'u32'] },
  dynset: {
    set: [1, 'string'],
    setId: [2, 'u32'],
    op: [3, 'u32'],
    keyRegister: [4, 'register'],
    dataRegister: [5, 'register'],
    timeout: [6, 'u64'],
    expression: [7, 'instruction'],
    flags: [9, 'u32'],
    expressions: [10, 'list'],
  },
  counter: { bytes: [1, 'u64'], packets: [2, 'u64'] },
  limit: { rate: [1, 'u64'], unit: [2, 'u64'], burst: [3, 'u32'], mode: [4, 'u32'], flags: [5, 'u32'] },
  quota: { bytes: [1, 'u64'], flags: [2, 'u32'], consumed: [4, 'u64'] },
  connlimit: { count: [1, 'u32'], flags: [2, 'u32'] },
  log: { group: [1, 'u16'], prefix: [2, 'string'], snaplen: [3, 'u32'], threshold: [4, 'u16'], level: [5, 'u32'], flags: [6, 'u32'] },
  reject: { mode: [1, 'u32'], code: [2, 'u8'] },
  nat: {
    mode: [1, 'u32'],
    family: [2, 'u32'],
    addressMin: [3, 'register'],
    addressMax: [4, 'register'],
    portMin: [5, 'register'],
    portMax: [6, 'register'],
    flags: [7, 'u32'],
  },
  masq: { flags: [1, 'u32'], portMin: [2, 'register'], portMax: [3, 'register'] },
  redir: { portMin: [1, 'register'], portMax: [2, 'register'], flags: [3, 'u32'] },
  tproxy: { family: [1, 'u32'], address: [2, 'register'], port: [3, 'register'] },
  notrack: {},
} as const satisfies Record<string, Record<string, Row>>

/** Attributes that only align 64-bit numbers (NFTA_*_PAD). */
export const PADDING: Readonly<Record<string, number>> = { dynset: 8, counter: 3, limit: 7, quota: 3 }

type Instructions = typeof INSTRUCTIONS
export type InstructionName = keyof Instructions

interface KindValues {
  u8: number
  u16: number
  u32: number
  u64: bigint
  string: string
  register: number
  value: Uint8Array
  data: Uint8Array | KernelVerdict
  instruction: KernelExpression
  list: KernelExpression[]
}

/** One instruction; attributes that are absent are `undefined`. */
export type Instruction<N extends InstructionName = InstructionName> = N extends InstructionName
  ? { name: N } & {
      [F in keyof Instructions[N]]?: Instructions[N][F] extends readonly [number, infer K extends AttributeKind] ? KindValues[K] : never
    }
  : never

/** An instruction that the table does not know, or one with attributes that it does not know. */
export interface UnknownInstruction {
  name: 'unknown'
  kernelName: string
  data: Uint8Array
}

export type KernelExpression = Instruction | UnknownInstruction
