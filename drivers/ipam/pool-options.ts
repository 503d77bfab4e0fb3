import { asBoolean, type OptionTable, parseOptions } from '../../src/contracts/options.js'

export interface PoolOptions {
  /** Dynamic addresses go on after the last one given, instead of taking the lowest that is free. */
  serial: boolean
  /** Dynamic addresses are taken from a random place on. */
  scattered: boolean
  /** Dynamic IPv6 addresses are made from the MAC. */
  eui64: boolean
}

const SERIAL = { to: 'serial', parse: asBoolean } as const

const POOL_OPTIONS: OptionTable<PoolOptions> = {
  serial: SERIAL,
  'com.docker.network.ipam.serial': SERIAL,
  eui64: { to: 'eui64', parse: asBoolean },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const parsePoolOptions = (raw: Readonly<Record<string, string>>, defaults: PoolOptions): PoolOptions =>
  parseOptions(raw, POOL_OPTIONS, defaults, 'ipam pool')

/** Options of a single request for an address. @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const parseAddressOptions = (raw: Readonly<Record<string, string>>, pool: PoolOptions): PoolOptions =>
  parseOptions(raw, POOL_OPTIONS, pool, 'ipam address')
